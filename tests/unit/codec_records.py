"""Records of the log for tests of the codec, and what one holds."""

from collections.abc import Sequence

import pyarrow as pa

from contracts.codec import Record, Reject, decode, encode_lines
from contracts.events import PLACED_SCHEMA, events_of, tags_of
from contracts.tags import ProductInfo, UserTag, event_time
from tests.unit.strategies import NOW

TAG = UserTag(NOW, "cookie", "PL", "PC", "BUY", "origin", ProductInfo(1, "brand", "category", 5))
LINE = encode_lines([TAG])


def record(payload: bytes, timestamp: int = NOW, offset: int = 7) -> Record:
    return Record(offset, timestamp, timestamp + 1, payload)


def arrow_of(held: Sequence[UserTag]) -> pa.RecordBatch:
    return events_of(held, [event_time(tag) for tag in held])


def streamed(table: pa.Table) -> bytes:
    """A table of any schema as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def changed(column: str, values: pa.Array) -> pa.Table:
    """Two good rows with another column in place of theirs."""
    table = pa.Table.from_batches([arrow_of([TAG, TAG])])
    return table.set_column(table.column_names.index(column), column, values)


def only(payload: bytes, timestamp: int = NOW) -> tuple[list[UserTag], list[Reject]]:
    """What one record holds; the places of its events must be right."""
    events, rejects = decode([record(payload, timestamp)])
    assert events.schema.equals(PLACED_SCHEMA)
    events.validate(full=True)
    assert not any(events.column(field.name).null_count for field in PLACED_SCHEMA if not field.nullable)
    assert set(events.column("offset").to_pylist()) <= {7}
    assert set(events.column("ingested").to_pylist()) <= {timestamp + 1}
    numbers = events.column("line").to_pylist()
    assert sorted(set(numbers)) == numbers
    assert not set(numbers) & {reject.line for reject in rejects}
    return tags_of(events), rejects


def table_of(held: Sequence[UserTag]) -> pa.Table:
    return pa.Table.from_batches([arrow_of(held)])
