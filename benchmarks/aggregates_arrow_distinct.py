"""Events from Kafka to rows in ClickHouse where nearly every event is a group, and so a row, of its own."""

from typing import Final

from benchmarks.results import Result
from benchmarks.rig.aggregates import measure
from benchmarks.rig.events import Stream
from contracts.codec import encode_arrow

LEAST: Final = 1.5  # times the rival


def run() -> list[Result]:
    """On a stack of its own, beside Flink SQL."""
    stream = Stream(seed=2, events=6_000_000, a_minute=1_000_000, groups=0)
    return measure("aggregates_arrow_distinct", stream, 5000, encode_arrow, LEAST)
