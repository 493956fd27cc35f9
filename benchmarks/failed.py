"""A benchmark's own way to fail."""

from collections.abc import Sequence

from benchmarks.results import Result


class BenchmarkFailed(Exception):
    """What was measured is worth nothing, as the answers were wrong; or it falls short of a bound, and `results` are
    kept all the same. The message says which."""

    def __init__(self, message: str, results: Sequence[Result] = ()) -> None:
        super().__init__(message)
        self.results = list(results)


def at_least(result: Result, times_the_rival: float) -> Result:
    """The result, or BenchmarkFailed when it is not so many times the rival's."""
    if result.ratio is not None and result.ratio < times_the_rival:
        message = f"{result.name} is {result.ratio:.2f} times the rival, not {times_the_rival}"
        raise BenchmarkFailed(message, [result])
    return result
