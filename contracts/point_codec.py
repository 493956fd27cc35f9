"""The batch codec of points: as `codec` does it for tags, NDJSON or Arrow told apart by the first bytes.

Arrow records hold `POINT_SCHEMA`: the series as JSON, which is mostly one of few and therefore a dictionary. What is
decoded names a series by its id: whatever is computed of points works on numbers alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts import point_lines
from contracts.arrow_events import is_like
from contracts.codec import Record, Reject, is_arrow
from contracts.events import PLACE_FIELDS
from contracts.points import InvalidPoint, Point, Series, decode_series, encode_point
from contracts.times import FUTURE_MS, LATEST_MS

POINT_SCHEMA: Final = pa.schema(
    [
        pa.field("series", pa.dictionary(pa.int32(), pa.string()), nullable=False),  # JSON: name, kind, labels
        pa.field("time", pa.int64(), nullable=False),  # epoch ms
        pa.field("value", pa.float64(), nullable=False),
    ]
)
PLACED_POINT_SCHEMA: Final = pa.schema(
    [pa.field("series", pa.uint64(), nullable=False), *list(POINT_SCHEMA)[1:], *PLACE_FIELDS]
)
BAD_POINT: Final = "a value outside of the contract: time, or value"


class DecodedPoints(NamedTuple):
    """Points of `PLACED_POINT_SCHEMA` in the order of the log, their series by id, and what was refused."""

    points: pa.RecordBatch
    series: dict[int, Series]
    rejects: list[Reject]


def encode_points(points: Iterable[Point]) -> bytes:
    """NDJSON of the points, each line ended."""
    return b"".join(encode_point(point) + b"\n" for point in points)


def encode_points_arrow(points: Sequence[Point]) -> bytes:
    """The points as an Arrow IPC stream of `POINT_SCHEMA`, LZ4-compressed."""
    index: dict[bytes, int] = {}
    codes = [index.setdefault(point.series.json, len(index)) for point in points]
    texts = pa.array([json.decode() for json in index], pa.string())
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), texts),
        pa.array([point.time for point in points], pa.int64()),
        pa.array([point.value for point in points], pa.float64()),
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, POINT_SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=POINT_SCHEMA))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode_points(records: Iterable[Record]) -> DecodedPoints:
    """All points of `records`, in order, and every line or record that could not be read. Never raises."""
    series: dict[int, Series] = {}
    rejects: list[Reject] = []
    lines: list[Record] = []
    tables: list[tuple[Record, pa.Table]] = []
    for record in records:
        if not is_arrow(record.payload):
            lines.append(record)
            continue
        try:
            tables.append((record, _read(record.payload)))
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            rejects.append(Reject(record.offset, -1, "", f"not an Arrow stream of points: {error}", record.payload))
    parts = [_from_lines(lines, series, rejects), _from_tables(tables, series, rejects)]
    return DecodedPoints(_in_order(parts), series, sorted(rejects))


class _Columns(NamedTuple):
    """Good points: the columns of `PLACED_POINT_SCHEMA`."""

    series: NDArray[np.uint64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    offset: NDArray[np.int64]
    line: NDArray[np.int32]
    ingested: NDArray[np.int64]


def _in_order(parts: list[_Columns]) -> pa.RecordBatch:
    filled = [part for part in parts if len(part.line)] or parts[:1]
    arrays = [pa.array(both[0] if len(both) == 1 else np.concatenate(both)) for both in zip(*filled, strict=True)]
    points = pa.RecordBatch.from_arrays(arrays, schema=PLACED_POINT_SCHEMA)
    if len(filled) > 1:
        return points.take(pa.array(np.argsort(points["offset"].to_numpy(), kind="stable")))
    return points


def _from_lines(records: list[Record], series: dict[int, Series], rejects: list[Reject]) -> _Columns:
    points: list[Point] = []
    numbers: list[int] = []
    sizes: list[int] = []
    for record in records:
        found = point_lines.read(record.payload, record.event_time)
        rejects += [Reject(record.offset, *one) for one in found.bad]
        points += found.points
        numbers += found.numbers
        sizes.append(len(found.points))
    series.update({point.series.id: point.series for point in points})
    return _Columns(
        np.array([point.series.id for point in points], np.uint64),
        np.array([point.time for point in points], np.int64),
        np.array([point.value for point in points], np.float64),
        np.repeat(np.array([record.offset for record in records], np.int64), sizes),
        np.array(numbers, np.int32),
        np.repeat(np.array([record.ingested for record in records], np.int64), sizes),
    )


def _from_tables(tables: list[tuple[Record, pa.Table]], series: dict[int, Series], rejects: list[Reject]) -> _Columns:
    """All tables at once: records have mostly the same series, so their dictionaries become one that is short."""
    whole = pa.concat_tables([POINT_SCHEMA.empty_table(), *(table for _, table in tables)])
    whole = whole.unify_dictionaries().combine_chunks()
    texts: pa.DictionaryArray = whole["series"].combine_chunks()
    # By way of numpy, as to_pylist makes a scalar of Arrow's for each.
    ids, fault = _identify(texts.dictionary.to_numpy(zero_copy_only=False).tolist(), series)
    codes, times, values = texts.indices.to_numpy(), whole["time"].to_numpy(), whole["value"].to_numpy()
    sizes = [table.num_rows for _, table in tables]
    places = np.array([(one.offset, one.event_time, one.ingested) for one, _ in tables], np.int64).reshape(-1, 3)
    offset, event_time, ingested = (np.repeat(column, sizes) for column in places.T)
    line = np.concatenate([np.zeros(0, np.int32), *(np.arange(size, dtype=np.int32) for size in sizes)])
    known = np.ones(len(ids), bool)
    known[list(fault)] = False
    good = known[codes] & np.isfinite(values) & (times >= 0)
    good &= times <= np.minimum(LATEST_MS - 1, event_time + FUTURE_MS)
    for row in np.flatnonzero(~good).tolist():
        field, reason = fault.get(int(codes[row]), ("", BAD_POINT))
        data = _line(texts[row].as_py(), int(times[row]), float(values[row]))
        rejects.append(Reject(int(offset[row]), int(line[row]), field, reason, data))
    columns = _Columns(ids[codes], times, values, offset, line, ingested)
    return columns if bool(good.all()) else _Columns(*(column[good] for column in columns))


def _line(series: str, time: int, value: float) -> bytes:
    """The point as a client would have sent it, as far as its series can be read; JSON has no NaN: it becomes text."""
    try:
        named = msgspec.json.decode(series, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError):
        named = {"series": series}
    return msgspec.json.encode({**named, "time": time, "value": value if np.isfinite(value) else repr(value)})


def _read(payload: bytes) -> pa.Table:
    """The stream's rows with the columns of `POINT_SCHEMA`, values not yet judged."""
    table = pa.ipc.open_stream(payload).read_all()
    table.validate(full=True)  # before anything is computed: offsets, indices and UTF-8 are not to be trusted
    columns = [_as_column(table.column(field.name), field) for field in POINT_SCHEMA]
    return pa.table(columns, schema=POINT_SCHEMA)


def _as_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    wanted = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not is_like(column.type, wanted):
        raise ValueError(f"column {field.name} is {column.type}, not {wanted}")
    if pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    if column.null_count or any(_has_null_text(chunk) for chunk in column.chunks):
        raise ValueError(f"nulls in column {field.name}")
    return column if column.type == field.type else column.cast(field.type)


def _has_null_text(chunk: pa.Array) -> bool:
    """Whether one of a dictionary's own values is null, which the nulls of its codes do not count."""
    return bool(pa.types.is_dictionary(chunk.type) and chunk.dictionary.null_count)


def _identify(texts: list[str], series: dict[int, Series]) -> tuple[NDArray[np.uint64], dict[int, tuple[str, str]]]:
    """The id of each text, and by its place (field, reason) of each that is no series. Adds to `series`."""
    ids = np.zeros(len(texts), np.uint64)
    fault: dict[int, tuple[str, str]] = {}
    for place, text in enumerate(texts):
        try:
            found = decode_series(text)
        except InvalidPoint as error:
            fault[place] = (error.field, error.reason)
        else:
            ids[place] = found.id
            series[found.id] = found
    return ids, fault
