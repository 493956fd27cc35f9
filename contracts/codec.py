"""The batch codec: the only place that knows the bytes of a Kafka record.

A record carries a batch of events, either NDJSON (1 to N lines) or an Arrow IPC stream, told apart by the
first bytes. `decode` turns any run of records of one partition into one RecordBatch and its rejects: records
are small when traffic is light, and pyarrow costs about 100 us a call whatever the size, so callers buffer
records and decode many at once.

The rule looks at the bytes of the record and its timestamp only, so that a replay decides alike.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from contracts.tags import (
    ACTIONS,
    DEVICES,
    InvalidTag,
    ProductInfo,
    UserTag,
    check_not_future,
    decode_tag,
    encode_tag,
    event_time,
)

ARROW_MARK: Final = b"\xff\xff\xff\xff"  # the continuation mark that starts an Arrow IPC stream

# The events of a record, as Arrow. `time_text` is null when `time` came as a number.
EVENT_SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.int64(), nullable=False),  # epoch ms
        pa.field("time_text", pa.string()),
        pa.field("cookie", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("product_id", pa.string(), nullable=False),
        pa.field("product_id_is_number", pa.bool_(), nullable=False),
        pa.field("brand_id", pa.string(), nullable=False),
        pa.field("category_id", pa.string(), nullable=False),
        pa.field("price", pa.int32(), nullable=False),
    ]
)
# What `decode` adds: where in the log each event stands and when it came in.
PLACE_FIELDS: Final = (
    pa.field("offset", pa.int64(), nullable=False),
    pa.field("line", pa.int32(), nullable=False),  # 0-based, over physical lines or Arrow rows
    pa.field("ingested", pa.int64(), nullable=False),  # epoch ms
)
PLACED_SCHEMA: Final = pa.schema([*EVENT_SCHEMA, *PLACE_FIELDS])


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


_lines_decoder = msgspec.json.Decoder(UserTag)


def is_arrow(payload: bytes) -> bool:
    """Whether a record's value is an Arrow IPC stream; otherwise it is NDJSON."""
    return payload.startswith(ARROW_MARK)


def count_lines(payload: bytes) -> int:
    """How many lines a record holds, good or bad; a record that cannot be opened counts as one."""
    if not payload:
        return 0
    if not is_arrow(payload):
        return payload.count(b"\n") + (not payload.endswith(b"\n"))
    try:
        return sum(batch.num_rows for batch in pa.ipc.open_stream(payload))
    except (pa.ArrowInvalid, OSError):
        return 1


def encode_lines(tags: Iterable[UserTag]) -> bytes:
    """NDJSON of the tags, each line ended."""
    return b"".join(encode_tag(tag) + b"\n" for tag in tags)


def encode_arrow(events: pa.RecordBatch) -> bytes:
    """The events (`EVENT_SCHEMA`) as an Arrow IPC stream, strings LZ4-compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, events.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(events)
    return sink.getvalue().to_pybytes()


def events_of(tags: Sequence[UserTag], times: Sequence[int]) -> pa.RecordBatch:
    """Validated tags and their epoch milliseconds as a RecordBatch of `EVENT_SCHEMA`."""
    products = [tag.product_info for tag in tags]
    ids = [product.product_id for product in products]
    columns = [
        times,
        [None if isinstance(tag.time, int) else tag.time for tag in tags],
        [tag.cookie for tag in tags],
        [tag.country for tag in tags],
        [tag.device for tag in tags],
        [tag.action for tag in tags],
        [tag.origin for tag in tags],
        [str(product_id) for product_id in ids],
        [isinstance(product_id, int) for product_id in ids],
        [product.brand_id for product in products],
        [product.category_id for product in products],
        [product.price for product in products],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENT_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)


def tags_of(events: pa.RecordBatch) -> list[UserTag]:
    """The rows as tags again, with `time` and `product_id` as they first came in."""
    names = [field.name for field in EVENT_SCHEMA]
    columns = [events.column(name).to_pylist() for name in names]
    return [
        UserTag(
            time=milliseconds if text is None else text,
            cookie=cookie,
            country=country,
            device=device,
            action=action,
            origin=origin,
            product_info=ProductInfo(
                product_id=int(product_id) if is_number else product_id,
                brand_id=brand,
                category_id=category,
                price=price,
            ),
        )
        for (
            milliseconds,
            text,
            cookie,
            country,
            device,
            action,
            origin,
            product_id,
            is_number,
            brand,
            category,
            price,
        ) in zip(*columns, strict=True)
    ]


def decode(records: Iterable[Record]) -> Decoded:
    """All events of `records`, in order, and every line or record that could not be read. Never raises."""
    batches: list[pa.RecordBatch] = []
    rejects: list[Reject] = []
    pending = _Lines()
    for record in records:
        if is_arrow(record.payload):
            pending.move_to(batches)
            _decode_arrow(record, batches, rejects)
        else:
            _decode_lines(record, pending, rejects)
    pending.move_to(batches)
    return Decoded(_concatenate(batches), rejects)


class _Lines:
    """Tags of many NDJSON records, gathered so that pyarrow is called once for all of them."""

    def __init__(self) -> None:
        self.tags: list[UserTag] = []
        self.times: list[int] = []
        self.offsets: list[int] = []
        self.lines: list[int] = []
        self.ingested: list[int] = []

    def add(self, record: Record, tags: Sequence[UserTag], times: Sequence[int], lines: Sequence[int]) -> None:
        self.tags += tags
        self.times += times
        self.lines += lines
        self.offsets += [record.offset] * len(tags)
        self.ingested += [record.ingested] * len(tags)

    def move_to(self, batches: list[pa.RecordBatch]) -> None:
        if self.tags:
            places = [pa.array(self.offsets, pa.int64()), pa.array(self.lines, pa.int32())]
            places.append(pa.array(self.ingested, pa.int64()))
            events = events_of(self.tags, self.times)
            batches.append(pa.RecordBatch.from_arrays([*events.columns, *places], schema=PLACED_SCHEMA))
            self.__init__()  # type: ignore[misc]  # starts over; a second method would only repeat the list of fields


def _concatenate(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches, PLACED_SCHEMA).combine_chunks()
    whole = table.to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], PLACED_SCHEMA)


def _decode_lines(record: Record, into: _Lines, rejects: list[Reject]) -> None:
    try:
        tags = _lines_decoder.decode_lines(record.payload)
        if len(tags) == count_lines(record.payload):
            times = [_judged_time(tag, record) for tag in tags]
            into.add(record, tags, times, range(len(tags)))
            return
    except (msgspec.DecodeError, InvalidTag, UnicodeDecodeError, RecursionError):
        pass  # some line is bad: take them one by one, which is slower but says which
    for number, line in enumerate(record.payload.split(b"\n")):
        if not line.strip():
            continue
        try:
            tag = decode_tag(line)
            into.add(record, [tag], [_judged_time(tag, record)], [number])
        except InvalidTag as error:
            rejects.append(Reject(record.offset, number, error.field, error.reason, line))


def _judged_time(tag: UserTag, record: Record) -> int:
    time = event_time(tag)
    check_not_future(time, record.timestamp)
    return time


def _decode_arrow(record: Record, batches: list[pa.RecordBatch], rejects: list[Reject]) -> None:
    try:
        events = _as_events(pa.ipc.open_stream(record.payload).read_all())
        events.validate(full=True)  # bytes of a stranger: offsets and UTF-8 are not to be trusted
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        rejects.append(Reject(record.offset, -1, "", f"not an Arrow stream of events: {error}", record.payload))
        return
    lines = pa.array(range(events.num_rows), pa.int32())
    places = [pa.array([record.offset] * events.num_rows, pa.int64()), lines]
    places.append(pa.array([record.ingested] * events.num_rows, pa.int64()))
    placed = pa.RecordBatch.from_arrays([*events.columns, *places], schema=PLACED_SCHEMA)
    good = _good_rows(events, record.timestamp)
    if not pc.all(good, min_count=0).as_py():
        _reject_rows(placed.filter(pc.invert(good)), record, rejects)
        placed = placed.filter(good)
    batches.append(placed)


def _as_events(table: pa.Table) -> pa.RecordBatch:
    columns = []
    for field in EVENT_SCHEMA:
        column = table.column(field.name)
        if not field.nullable and column.null_count:
            raise ValueError(f"nulls in column {field.name}")
        columns.append(column.cast(field.type).combine_chunks())
    arrays = [column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENT_SCHEMA)


_TEXT_COLUMNS: Final = ("cookie", "country", "origin", "product_id", "brand_id", "category_id")
# Up to 18 digits always fit int64: numbers of 19 digits come as NDJSON, which is exact, or as text.
_WHOLE_NUMBER: Final = "^(0|-?[1-9][0-9]{0,17})$"


def _good_rows(events: pa.RecordBatch, timestamp: int) -> pa.Array:
    """Which rows keep the rules that `decode_tag` and `event_time` keep for lines."""
    from contracts.tags import FUTURE_MS
    from contracts.times import LATEST_MS

    time = events.column("time")
    latest = min(LATEST_MS - 1, timestamp + FUTURE_MS)
    good = pc.and_(pc.greater_equal(time, 0), pc.less_equal(time, latest))
    for name, allowed in (("device", DEVICES), ("action", ACTIONS)):
        good = pc.and_(good, pc.is_in(events.column(name), value_set=pa.array(allowed)))
    for name in _TEXT_COLUMNS:
        length = pc.utf8_length(events.column(name))
        good = pc.and_(good, pc.and_(pc.greater(length, 0), pc.less_equal(length, 256)))
    numeric = pc.match_substring_regex(events.column("product_id"), _WHOLE_NUMBER)
    return pc.and_(good, pc.or_(pc.invert(events.column("product_id_is_number")), numeric))


def _reject_rows(bad: pa.RecordBatch, record: Record, rejects: list[Reject]) -> None:
    for row in bad.to_pylist():
        line = row["line"]
        event = {field.name: row[field.name] for field in EVENT_SCHEMA}
        reason = "a value outside of the contract: time, device, action, the length of a text, or product_id"
        rejects.append(Reject(record.offset, line, "", reason, msgspec.json.encode(event)))
