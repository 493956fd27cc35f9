"""The batch codec of points: as `codec` does it for tags, NDJSON or Arrow told apart by the first bytes.

Arrow records hold `POINT_SCHEMA`: the series as JSON, which is mostly one of few and therefore a dictionary. What is
decoded names a series by its id: whatever is computed of points works on numbers alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

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
    columns: list[_Columns] = []
    series: dict[int, Series] = {}
    rejects: list[Reject] = []
    for record in records:
        if is_arrow(record.payload):
            columns += _decode_arrow(record, series, rejects)
        elif record.payload:
            columns.append(_decode_lines(record, series, rejects))
    return DecodedPoints(_concatenate(columns), series, rejects)


class _Columns(NamedTuple):
    """One record's good points."""

    record: Record
    series: NDArray[np.uint64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    line: NDArray[np.int32]


def _concatenate(columns: list[_Columns]) -> pa.RecordBatch:
    if not columns:
        return pa.RecordBatch.from_pylist([], PLACED_POINT_SCHEMA)
    sizes = [len(one.line) for one in columns]
    series, time, value, line = (np.concatenate([one[place] for one in columns]) for place in range(1, 5))
    offset, ingested = (
        np.repeat(np.array([getattr(one.record, name) for one in columns], np.int64), sizes)
        for name in ("offset", "ingested")
    )
    arrays = [pa.array(column) for column in (series, time, value, offset, line, ingested)]
    return pa.RecordBatch.from_arrays(arrays, schema=PLACED_POINT_SCHEMA)


def _decode_lines(record: Record, series: dict[int, Series], rejects: list[Reject]) -> _Columns:
    points, numbers, bad = point_lines.read(record.payload, record.timestamp)
    rejects += [Reject(record.offset, *one) for one in bad]
    series.update({point.series.id: point.series for point in points})
    return _Columns(
        record,
        np.array([point.series.id for point in points], np.uint64),
        np.array([point.time for point in points], np.int64),
        np.array([point.value for point in points], np.float64),
        np.array(numbers, np.int32),
    )


def _decode_arrow(record: Record, series: dict[int, Series], rejects: list[Reject]) -> Iterator[_Columns]:
    try:
        batch = _read(record.payload)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        rejects.append(Reject(record.offset, -1, "", f"not an Arrow stream of points: {error}", record.payload))
        return
    texts: pa.DictionaryArray = batch["series"]
    ids, fault = _identify(texts.dictionary.to_pylist(), series)
    codes, times, values = texts.indices.to_numpy(), batch["time"].to_numpy(), batch["value"].to_numpy()
    known = np.ones(len(ids), bool)
    known[list(fault)] = False
    latest = min(LATEST_MS - 1, record.timestamp + FUTURE_MS)
    good = known[codes] & np.isfinite(values) & (times >= 0) & (times <= latest)
    for line in np.flatnonzero(~good).tolist():
        field, reason = fault.get(int(codes[line]), ("", BAD_POINT))
        point = {"series": texts[line].as_py(), "time": int(times[line]), "value": repr(float(values[line]))}
        rejects.append(Reject(record.offset, line, field, reason, msgspec.json.encode(point)))
    lines = np.flatnonzero(good).astype(np.int32)
    yield _Columns(record, ids[codes[lines]], times[lines], values[lines], lines)


def _read(payload: bytes) -> pa.RecordBatch:
    """The stream's rows with the columns of `POINT_SCHEMA`, values not yet judged."""
    table = pa.ipc.open_stream(payload).read_all()
    table.validate(full=True)  # before anything is computed: offsets, indices and UTF-8 are not to be trusted
    columns = [_as_column(table.column(field.name), field) for field in POINT_SCHEMA]
    whole = pa.table(columns, schema=POINT_SCHEMA).unify_dictionaries().combine_chunks()
    return next(iter(whole.to_batches()), pa.RecordBatch.from_pylist([], POINT_SCHEMA))


def _as_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    wanted = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not is_like(column.type, wanted):
        raise ValueError(f"column {field.name} is {column.type}, not {wanted}")
    if column.null_count:
        raise ValueError(f"nulls in column {field.name}")
    if pa.types.is_dictionary(field.type) and not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    return column.cast(field.type)


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
