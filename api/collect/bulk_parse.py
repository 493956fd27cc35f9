"""A body of many lines: which are good, and the records they become. Pure; runs in a thread when the body is large."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from api.collect.lane import partition_of
from api.collect.producer import OutRecord
from contracts import lines
from contracts.codec import encode_arrow
from contracts.events import events_of
from contracts.tags import UserTag

# Read at once: one call holds the interpreter for about 1 ms, so requests for single tags get their turn in between.
_CHUNK_BYTES: Final = 262_144
# As JSON a number of 19 digits is exact; in Arrow it would be a text that readers refuse as a number.
_ARROW_NUMBERS: Final = 10**18


class LineError(NamedTuple):
    """Why a line was refused. `line` counts from 1."""

    line: int
    field: str
    reason: str


class TimedTag(NamedTuple):
    """A valid tag and its epoch milliseconds."""

    tag: UserTag
    time: int


@dataclass(slots=True)
class Parsed:
    """The good lines in their order, and what was wrong with the others."""

    good: list[TimedTag] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)


def parse(body: bytes, now: int) -> Parsed:
    """Reads NDJSON; blank lines count for nothing. Never raises. `now` in epoch milliseconds."""
    parsed, line = Parsed(), 1
    for chunk in _chunks(body):
        found = lines.read(chunk, now)
        parsed.good += map(TimedTag, found.tags, found.times)
        parsed.errors += [LineError(line + bad.number, bad.field, bad.reason) for bad in found.bad]
        line += lines.count(chunk)
    return parsed


def _chunks(body: bytes) -> Iterator[bytes]:
    """Runs of whole lines."""
    start = 0
    while start < len(body):
        end = body.rfind(b"\n", start, start + _CHUNK_BYTES) + 1 or body.find(b"\n", start) + 1 or len(body)
        yield body[start:end]
        start = end


def fits_arrow(tag: UserTag) -> bool:
    """Whether the tag comes out of Arrow as it went in."""
    product_id = tag.product_info.product_id
    return not isinstance(product_id, int) or -_ARROW_NUMBERS < product_id < _ARROW_NUMBERS


def records(good: Sequence[TimedTag], partitions: int, rows: int, limit: int, now: int) -> list[OutRecord]:
    """Arrow records of at most `rows` events and `limit` bytes, each of one partition, the order kept in each."""
    lanes: list[list[TimedTag]] = [[] for _ in range(partitions)]
    for timed in good:
        lanes[partition_of(timed.tag.cookie, partitions)].append(timed)
    return [
        record
        for partition, lane in enumerate(lanes)
        for start in range(0, len(lane), rows)
        for record in _encode(lane[start : start + rows], partition, limit, now)
    ]


def _encode(lane: Sequence[TimedTag], partition: int, limit: int, now: int) -> Iterator[OutRecord]:
    value = encode_arrow(events_of([timed.tag for timed in lane], [timed.time for timed in lane]))
    if len(value) <= limit or len(lane) == 1:
        newest = max(timed.time for timed in lane)
        yield OutRecord(partition, value, min(newest, now), now, len(lane))
        return
    middle = len(lane) // 2
    yield from _encode(lane[:middle], partition, limit, now)
    yield from _encode(lane[middle:], partition, limit, now)
