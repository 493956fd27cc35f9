"""The batch codec: the only place that knows the bytes of a Kafka record.

A record carries a batch of events, either NDJSON (1 to N lines) or an Arrow IPC stream, told apart by the
first bytes. `decode` turns any run of records of one partition into one RecordBatch and its rejects: records
are small when traffic is light, and pyarrow costs about 100 us a call whatever the size, so callers buffer
records and decode many at once.

The rule looks at the bytes of the record and its event time only, so that a replay decides alike.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts import arrow_events, coded, lines
from contracts.events import PLACE_FIELDS, PLACED_SCHEMA, REPEATED, encode_row, events_of
from contracts.tags import UserTag, encode_tag

ARROW_MARK: Final = b"\xff\xff\xff\xff"  # the continuation mark that starts an Arrow IPC stream
_WRITE: Final = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
BAD_ROW: Final = "a value outside of the contract: time, device, action, the length of a text, or product_id"


class Record(NamedTuple):
    """A Kafka record; in epoch milliseconds its newest event's time (`event_time`) and Kafka's own (`ingested`)."""

    offset: int
    event_time: int
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
    """Events of the schema that was asked for, in the order of the log, and what was refused."""

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
    """The events (`EVENT_SCHEMA`) as an Arrow IPC stream, compressed, texts that repeat as codes."""
    names = events.schema.names
    columns = [coded.smallest(events.column(name)) if name in REPEATED else events.column(name) for name in names]
    batch = pa.RecordBatch.from_arrays(columns, names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_WRITE) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(records: Iterable[Record], schema: pa.Schema = PLACED_SCHEMA) -> Decoded:
    """All events of `records`, in order, and every line or record that could not be read. Never raises.

    `schema`: the columns that are wanted; whichever they are, the same events are good.
    """
    batches: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    pending = _Lines(schema)
    for record in records:
        if is_arrow(record.payload):
            batches += pending.take()
            batches += _decode_arrow(record, rejects)
        else:
            pending.add(record, rejects)
    batches += pending.take()
    columns = [coded.join([batch.column(field.name) for batch in batches], field.type) for field in schema]
    return Decoded(pa.RecordBatch.from_arrays(columns, schema=schema), rejects)


class _Lines:
    """Tags of many NDJSON records, gathered so that pyarrow is called once for all of them."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._clear()

    def _clear(self) -> None:
        self._tags: list[UserTag] = []
        self._times: list[int] = []
        self._offsets: list[int] = []
        self._numbers: list[int] = []
        self._ingested: list[int] = []

    def add(self, record: Record, rejects: list[Reject]) -> None:
        found = lines.read(record.payload, record.event_time)
        self._tags += found.tags
        self._times += found.times
        self._numbers += found.numbers
        self._offsets += [record.offset] * len(found.tags)
        self._ingested += [record.ingested] * len(found.tags)
        rejects += [Reject(record.offset, *bad) for bad in found.bad]

    def take(self) -> Iterator[pa.RecordBatch]:
        """What was gathered so far, if anything, with the columns of the schema."""
        if self._tags:
            events = events_of(self._tags, self._times, self._schema)
            yield _placed(events, (self._offsets, self._numbers, self._ingested))
            self._clear()


def _decode_arrow(record: Record, rejects: list[Reject]) -> Iterator[pa.RecordBatch]:
    try:
        events = arrow_events.read_events(record.payload)
    except arrow_events.NotEvents as error:
        rejects.append(Reject(record.offset, -1, "", f"not an Arrow stream of events: {error}", record.payload))
        return
    rows = events.num_rows
    whole = _placed(events, (np.full(rows, record.offset), np.arange(rows), np.full(rows, record.ingested)))
    if arrow_events.all_good(events, record.event_time):
        yield whole
        return
    good = arrow_events.good_rows(events, record.event_time)
    for row in whole.filter(pc.invert(good)).to_pylist():
        line = encode_row(row)
        bad = next(iter(lines.read(line, record.event_time).bad), None)
        field, reason = (bad.field, bad.reason) if bad else ("", BAD_ROW)
        rejects.append(Reject(record.offset, row["line"], field, reason, line))
    yield whole.filter(good)


def _placed(events: pa.RecordBatch, places: Iterable[Any]) -> pa.RecordBatch:
    """The events with columns of `PLACE_FIELDS` behind theirs."""
    columns = [pa.array(place, field.type) for place, field in zip(places, PLACE_FIELDS, strict=True)]
    names = [*events.schema.names, *(field.name for field in PLACE_FIELDS)]
    return pa.RecordBatch.from_arrays([*events.columns, *columns], names=names)
