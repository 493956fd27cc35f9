"""Events from Kafka to rows in ClickHouse: Arrow records of 5,000 events, 10,000 groups a minute."""

from typing import Final

from benchmarks.results import Result
from benchmarks.rig.aggregates import measure
from benchmarks.rig.events import Stream
from contracts.codec import encode_arrow

LEAST: Final = 2.5  # times the rival


def run() -> list[Result]:
    """On a stack of its own, beside Flink SQL."""
    stream = Stream(seed=1, events=16_000_000, a_minute=1_000_000, groups=10_000)
    return measure("aggregates_arrow", stream, 5000, encode_arrow, LEAST)
