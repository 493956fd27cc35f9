"""What the body of a request becomes before it is sent to Kafka, whatever it holds and in whatever format."""

from collections.abc import Callable
from typing import Final, NamedTuple

from api.collect.producer import OutRecord

SMALL_LINES: Final = 50  # up to here a body joins the micro-batches: an Arrow record would cost more than it saves


class LineError(NamedTuple):
    """Why an event was refused. `line` counts from 1: lines, or events where a body has no lines."""

    line: int
    field: str
    reason: str


class Line(NamedTuple):
    """An event as a line of JSON, for `Collector.add`: `time` in epoch milliseconds."""

    shard: int
    json: bytes
    time: int


class Prepared(NamedTuple):
    """How many events are good; each is in `lines` or in `records`. What was wrong with the others is in `errors`."""

    accepted: int
    lines: list[Line]
    records: list[OutRecord]
    errors: list[LineError]


class Bounds(NamedTuple):
    """Of records: over how many partitions they spread, how many events and how many bytes one holds at most.

    `once` is the key of a request that counts once: all its events go into one record then.
    """

    partitions: int
    rows: int
    record_bytes: int
    once: str = ""


# Reads an unpacked body at the clock `now` (epoch milliseconds). Pure; runs in a thread when the body is large.
# Raises Problem when nothing in it can be read.
Prepare = Callable[[bytes, int, Bounds], Prepared]
