"""The batch codec: the only place that knows the bytes of a Kafka record.

A record carries a batch of events, either NDJSON (1 to N lines) or an Arrow IPC stream, told apart by the
first bytes. `decode` turns any run of records of one partition into one RecordBatch and its rejects: records
are small when traffic is light, and pyarrow costs about 100 us a call whatever the size, so callers buffer
records and decode many at once.

The rule looks at the bytes of the record and its timestamp only, so that a replay decides alike.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts import arrow_events, lines
from contracts.events import EVENT_SCHEMA, PLACED_SCHEMA, events_of, placed
from contracts.tags import UserTag, encode_tag

ARROW_MARK: Final = b"\xff\xff\xff\xff"  # the continuation mark that starts an Arrow IPC stream
BAD_ROW: Final = "a value outside of the contract: time, device, action, the length of a text, or product_id"


class Record(NamedTuple):
    """A Kafka record of one partition: `timestamp` and `ingested` in epoch milliseconds."""

    offset: int
    timestamp: int
    ingested: int
    payload: bytes


class Reject(NamedTuple):
    """What could not be read: a line (0-based), or a whole record (line -1), with its bytes as they came."""

    offset: int
    line: int
    field: str
    reason: str
    data: bytes


class Decoded(NamedTuple):
    """Events of `PLACED_SCHEMA` in the order of the log, and what was refused."""

    events: pa.RecordBatch
    rejects: list[Reject]


def is_arrow(payload: bytes) -> bool:
    """Whether a record's value is an Arrow IPC stream; otherwise it is NDJSON."""
    return payload.startswith(ARROW_MARK)


def count_lines(payload: bytes) -> int:
    """How many lines a record holds, good, bad or blank; one whose Arrow stream cannot be read counts as one."""
    if not is_arrow(payload):
        return lines.count(payload)
    try:
        return arrow_events.count_rows(payload)
    except arrow_events.NotEvents:
        return 1


def encode_lines(tags: Iterable[UserTag]) -> bytes:
    """NDJSON of the tags, each line ended."""
    return b"".join(encode_tag(tag) + b"\n" for tag in tags)


def encode_arrow(events: pa.RecordBatch) -> bytes:
    """The events (`EVENT_SCHEMA`) as an Arrow IPC stream, strings LZ4-compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, events.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(events)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(records: Iterable[Record]) -> Decoded:
    """All events of `records`, in order, and every line or record that could not be read. Never raises."""
    batches: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    pending = _Lines()
    for record in records:
        if is_arrow(record.payload):
            batches += pending.take()
            batches += _decode_arrow(record, rejects)
        else:
            pending.add(record, rejects)
    batches += pending.take()
    return Decoded(_concatenate(batches), rejects)


class _Lines:
    """Tags of many NDJSON records, gathered so that pyarrow is called once for all of them."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._tags: list[UserTag] = []
        self._times: list[int] = []
        self._offsets: list[int] = []
        self._numbers: list[int] = []
        self._ingested: list[int] = []

    def add(self, record: Record, rejects: list[Reject]) -> None:
        found = lines.read(record.payload, record.timestamp)
        self._tags += found.tags
        self._times += found.times
        self._numbers += found.numbers
        self._offsets += [record.offset] * len(found.tags)
        self._ingested += [record.ingested] * len(found.tags)
        rejects += [Reject(record.offset, *bad) for bad in found.bad]

    def take(self) -> Iterator[pa.RecordBatch]:
        """What was gathered so far, if anything, as a batch of `PLACED_SCHEMA`."""
        if self._tags:
            offsets, ingested = pa.array(self._offsets, pa.int64()), pa.array(self._ingested, pa.int64())
            events = events_of(self._tags, self._times)
            yield placed(events, offsets, pa.array(self._numbers, pa.int32()), ingested)
            self._clear()


def _decode_arrow(record: Record, rejects: list[Reject]) -> Iterator[pa.RecordBatch]:
    try:
        events = arrow_events.read_events(record.payload)
    except arrow_events.NotEvents as error:
        rejects.append(Reject(record.offset, -1, "", f"not an Arrow stream of events: {error}", record.payload))
        return
    length = events.num_rows
    offset, ingested = (pa.repeat(pa.scalar(value, pa.int64()), length) for value in (record.offset, record.ingested))
    whole = placed(events, offset, pa.array(np.arange(length, dtype=np.int32)), ingested)
    good = arrow_events.good_rows(events, record.timestamp)
    if good.true_count == length:
        yield whole
        return
    for row in whole.filter(pc.invert(good)).to_pylist():
        event = {name: row[name] for name in EVENT_SCHEMA.names}
        rejects.append(Reject(record.offset, row["line"], "", BAD_ROW, msgspec.json.encode(event)))
    yield whole.filter(good)


def _concatenate(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches, PLACED_SCHEMA).combine_chunks()
    return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], PLACED_SCHEMA))
