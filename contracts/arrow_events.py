"""Events that come as an Arrow IPC stream: bytes of a stranger, checked before anything is computed from them."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.events import EVENT_SCHEMA
from contracts.tags import ACTIONS, DEVICES, FUTURE_MS
from contracts.times import LATEST_MS

_TEXT_COLUMNS: Final = ("cookie", "country", "origin", "product_id", "brand_id", "category_id")
_LONGEST_TEXT: Final = 256
_LONGEST_TIME: Final = 64
# Up to 18 digits always fit int64: numbers of 19 digits come as NDJSON, which is exact, or as text.
_WHOLE_NUMBER: Final = "^(0|-?[1-9][0-9]{0,17})$"


class NotEvents(ValueError):
    """The bytes are no Arrow stream of events."""


def count_rows(payload: bytes) -> int:
    """How many rows the stream's batches say they hold; NotEvents when it cannot be read to its end."""
    try:
        return sum(batch.num_rows for batch in pa.ipc.open_stream(payload))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NotEvents(str(error)) from None


def read_events(payload: bytes) -> pa.RecordBatch:
    """The stream's rows as a RecordBatch of `EVENT_SCHEMA`, values not yet judged.

    Columns may be in any order, texts dictionary-encoded or large, whole numbers of any width. NotEvents says what
    is missing or broken.
    """
    try:
        table = pa.ipc.open_stream(payload).read_all()
        table.validate(full=True)  # before anything is computed: offsets, indices and UTF-8 are not to be trusted
        columns = [_as_column(table, field) for field in EVENT_SCHEMA]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise NotEvents(str(error)) from None
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


def _as_column(table: pa.Table, field: pa.Field) -> pa.Array:
    column = table.column(field.name)
    if not _is_like(column.type, field.type):
        raise NotEvents(f"column {field.name} is {column.type}, not {field.type}")
    values = pa.concat_arrays([chunk.cast(field.type) for chunk in column.chunks] or [pa.array([], field.type)])
    if values.null_count and not field.nullable:
        raise NotEvents(f"nulls in column {field.name}")
    return values


def _is_like(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a cast keeps the meaning: no numbers out of text, no times in other units."""
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(given))
    if pa.types.is_string(wanted):
        return bool(pa.types.is_string(given) or pa.types.is_large_string(given))
    return bool(given == wanted)


def good_rows(events: pa.RecordBatch, now: int) -> pa.Array:
    """Which rows keep the rules of `contracts.tags` at the clock `now` (epoch milliseconds): booleans, no nulls.

    That `time_text` says the same as `time` is left to who wrote the record: parsing texts costs more than all else.
    """
    time = events.column("time")
    latest = min(LATEST_MS - 1, now + FUTURE_MS)
    good = pc.and_(pc.greater_equal(time, 0), pc.less_equal(time, latest))
    for name, allowed in (("device", DEVICES), ("action", ACTIONS)):
        good = pc.and_(good, pc.is_in(events.column(name), value_set=pa.array(allowed)))
    for name in _TEXT_COLUMNS:
        good = pc.and_(good, _has_length(events.column(name), _LONGEST_TEXT))
    good = pc.and_(good, _has_length(events.column("time_text"), _LONGEST_TIME).fill_null(True))
    numeric = pc.match_substring_regex(events.column("product_id"), _WHOLE_NUMBER)
    return pc.and_(good, pc.or_(pc.invert(events.column("product_id_is_number")), numeric))


def _has_length(texts: pa.Array, longest: int) -> pa.Array:
    length = pc.utf8_length(texts)
    return pc.and_(pc.greater(length, 0), pc.less_equal(length, longest))
