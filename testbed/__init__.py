"""Seeded traffic, the oracle that knows every right answer, the driver that compares, and plans of faults."""
