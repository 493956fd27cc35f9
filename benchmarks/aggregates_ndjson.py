"""Events from Kafka to rows in ClickHouse: records of 500 lines of JSON, 10,000 groups a minute."""

import pyarrow as pa

from benchmarks.results import Result
from benchmarks.rig.aggregates import measure
from benchmarks.rig.events import Stream
from contracts.codec import encode_lines
from contracts.events import tags_of


def run() -> list[Result]:
    """On a stack of its own, beside Flink SQL."""
    stream = Stream(seed=3, events=6_000_000, a_minute=1_000_000, groups=10_000)
    return measure("aggregates_ndjson", stream, 500, _lines)


def _lines(events: pa.RecordBatch) -> bytes:
    return encode_lines(tags_of(events))
