"""A body of many lines: which are good, and the records they become. Pure; runs in a thread when the body is large."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.collect.lane import partition_of, shard_of
from api.collect.prepared import SMALL_LINES, Bounds, Line, LineError, Prepared
from api.collect.producer import OutRecord
from contracts import lines
from contracts.codec import encode_arrow
from contracts.events import events_of
from contracts.tags import UserTag, encode_tag

# Read at once: one call holds the interpreter for about 1 ms, so requests for single tags get their turn in between.
_CHUNK_BYTES: Final = 262_144
# As JSON a number of 19 digits is exact; in Arrow it would be a text that readers refuse as a number.
_ARROW_NUMBERS: Final = 10**18


@dataclass(slots=True)
class Tags:
    """Valid tags and their epoch milliseconds, side by side: an object for each pair would cost as much as sorting it
    into its partition."""

    tags: list[UserTag] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tags)

    def where(self, wanted: list[bool]) -> "Tags":
        """Those for which `wanted` says so."""
        return Tags(list(compress(self.tags, wanted)), list(compress(self.times, wanted)))


@dataclass(slots=True)
class Parsed:
    """The good lines in their order, and what was wrong with the others."""

    good: Tags = field(default_factory=Tags)
    errors: list[LineError] = field(default_factory=list)


def prepare_tags(body: bytes, now: int, bounds: Bounds) -> Prepared:
    """Tags in NDJSON: the few as lines, the many as records, but for those that Arrow cannot carry."""
    parsed = parse(body, now)
    ready: list[OutRecord] = []
    rest = parsed.good
    if len(parsed.good) > SMALL_LINES:
        fitting, rest = by_shape(parsed.good)
        ready = records(fitting, bounds.partitions, bounds.rows, bounds.record_bytes, now)
    pairs = zip(rest.tags, rest.times, strict=True)
    as_lines = [Line(shard_of(tag.cookie), encode_tag(tag), time) for tag, time in pairs]
    return Prepared(len(parsed.good), as_lines, ready, parsed.errors)


def parse(body: bytes, now: int) -> Parsed:
    """Reads NDJSON; blank lines count for nothing. Never raises. `now` in epoch milliseconds."""
    parsed, line = Parsed(), 1
    for chunk in chunks(body):
        found = lines.read(chunk, now)
        parsed.good.tags += found.tags
        parsed.good.times += found.times
        parsed.errors += [LineError(line + bad.number, bad.field, bad.reason) for bad in found.bad]
        line += lines.count(chunk)
    return parsed


def chunks(body: bytes) -> Iterator[bytes]:
    """Runs of whole lines."""
    start = 0
    while start < len(body):
        end = body.rfind(b"\n", start, start + _CHUNK_BYTES) + 1 or body.find(b"\n", start) + 1 or len(body)
        yield body[start:end]
        start = end


def by_shape(good: Tags) -> tuple[Tags, Tags]:
    """Those that come out of Arrow as they went in, and the few that do not."""
    fits = [fits_arrow(tag) for tag in good.tags]
    if all(fits):
        return good, Tags()
    return good.where(fits), good.where([not fit for fit in fits])


def fits_arrow(tag: UserTag) -> bool:
    """Whether the tag comes out of Arrow as it went in."""
    product_id = tag.product_info.product_id
    return not isinstance(product_id, int) or -_ARROW_NUMBERS < product_id < _ARROW_NUMBERS


def records(good: Tags, partitions: int, rows: int, limit: int, now: int) -> list[OutRecord]:
    """Arrow records of at most `rows` events and `limit` bytes, each of one partition, the order kept in each."""
    places = np.array([partition_of(tag.cookie, partitions) for tag in good.tags], np.int64)
    events = events_of(good.tags, good.times).take(pa.array(np.argsort(places, kind="stable")))
    ends = np.cumsum(np.bincount(places, minlength=partitions)).tolist()
    return [
        record
        for partition, (begin, end) in enumerate(zip([0, *ends], ends, strict=False))
        for first in range(begin, end, rows)
        for record in _encode(events.slice(first, min(rows, end - first)), partition, limit, now)
    ]


def _encode(events: pa.RecordBatch, partition: int, limit: int, now: int) -> Iterator[OutRecord]:
    value = encode_arrow(events)
    length = events.num_rows
    if len(value) <= limit or length == 1:
        newest: int = pc.max(events.column("time")).as_py()
        yield OutRecord(partition, value, min(newest, now), now, length)
        return
    yield from _encode(events.slice(0, length // 2), partition, limit, now)
    yield from _encode(events.slice(length // 2), partition, limit, now)
