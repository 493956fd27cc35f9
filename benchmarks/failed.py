"""A benchmark's own way to fail."""


class BenchmarkFailed(Exception):
    """What was measured is worth nothing, as the answers were wrong; the message says which."""
