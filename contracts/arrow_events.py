"""Events that come as an Arrow IPC stream: bytes of a stranger, checked before anything is computed from them."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import coded
from contracts.events import EVENT_SCHEMA, REPEATED
from contracts.tags import ACTIONS, DEVICES
from contracts.times import FUTURE_MS, LATEST_MS

_TEXT_COLUMNS: Final = ("cookie", "country", "origin", "product_id", "brand_id", "category_id")
_LONGEST_TEXT: Final = 256
_LONGEST_TIME: Final = 64
# Up to 18 digits always fit int64: numbers of 19 digits come as NDJSON, which is exact, or as text.
_WHOLE_NUMBER: Final = "^(0|-?[1-9][0-9]{0,17})$"
_ALLOWED: Final = {"device": pa.array(DEVICES), "action": pa.array(ACTIONS)}
_ALONE: Final = pa.ipc.IpcReadOptions(use_threads=False)  # a record is too small to share among threads
_FIRST_COLUMN: Final = pa.ipc.IpcReadOptions(use_threads=False, included_fields=[0])


class NotEvents(ValueError):
    """The bytes are no Arrow stream of events."""


def count_rows(payload: bytes) -> int:
    """How many rows the stream's batches say they hold; NotEvents when it cannot be read to its end."""
    try:
        return sum(batch.num_rows for batch in pa.ipc.open_stream(payload, options=_FIRST_COLUMN))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise NotEvents(str(error)) from None


def read_events(payload: bytes) -> pa.RecordBatch:
    """The stream's rows as a RecordBatch with the columns of `EVENT_SCHEMA`, values not yet judged.

    Columns may come in any order, texts dictionary-encoded or large, whole numbers of any width. Of the columns that
    are `REPEATED` those that came as dictionaries stay so, without nulls. NotEvents says what is missing or broken.
    """
    try:
        table = pa.ipc.open_stream(payload, options=_ALONE).read_all()
        table.validate(full=True)  # before anything is computed: offsets, indices and UTF-8 are not to be trusted
        columns = [_as_column(table, field) for field in EVENT_SCHEMA]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise NotEvents(str(error)) from None
    return pa.RecordBatch.from_arrays(columns, names=EVENT_SCHEMA.names)


def _as_column(table: pa.Table, field: pa.Field) -> pa.Array:
    column = table.column(field.name)
    if not is_like(column.type, field.type):
        raise NotEvents(f"column {field.name} is {column.type}, not {field.type}")
    if field.name in REPEATED and _is_dictionary(column):
        return column.chunk(0) if column.num_chunks == 1 else coded.join(column.chunks, coded.CODED)
    values = coded.join(column.chunks, field.type)
    if values.null_count and not field.nullable:
        raise NotEvents(f"nulls in column {field.name}")
    return values


def _is_dictionary(column: pa.ChunkedArray) -> bool:
    """Whether the column holds dictionaries and no null, not even among their values."""
    if not pa.types.is_dictionary(column.type) or column.null_count:
        return False
    return not any(chunk.dictionary.null_count for chunk in column.chunks)


def is_like(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a cast keeps the meaning: no numbers out of text, no times in other units."""
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(given))
    if pa.types.is_string(wanted):
        return bool(pa.types.is_string(given) or pa.types.is_large_string(given))
    return bool(given == wanted)


def all_good(events: pa.RecordBatch, now: int) -> bool:
    """Whether a cheap look is enough to know that `good_rows` would be true for each; False tells nothing.

    Looks at bytes in place of characters and at each text of a dictionary once.
    """
    if events.num_rows == 0:
        return True
    texts = {name: _texts(events.column(name)) for name in (*_TEXT_COLUMNS, "time_text", *_ALLOWED)}
    is_text = pc.invert(events.column("product_id_is_number"))
    return (
        _within(events.column("time"), 0, _latest(now))
        and all(_within(pc.binary_length(texts[name]), 1, _LONGEST_TEXT) for name in _TEXT_COLUMNS)
        and _within(pc.binary_length(texts["time_text"]), 1, _LONGEST_TIME)
        and all(pc.all(pc.is_in(texts[name], value_set=allowed)).as_py() for name, allowed in _ALLOWED.items())
        and bool(pc.all(pc.or_(is_text, _are_plain_numbers(texts["product_id"]))).as_py())
    )


def _texts(column: pa.Array) -> pa.Array:
    return column.dictionary if pa.types.is_dictionary(column.type) else column


def _within(values: pa.Array, least: int, most: int) -> bool:
    """Whether all values that are not null lie in [least, most]."""
    bounds = pc.min_max(values)
    return not bounds["min"].is_valid or (bounds["min"].as_py() >= least and bounds["max"].as_py() <= most)


def _are_plain_numbers(texts: pa.Array) -> pa.Array:
    """Which texts are up to 18 ASCII digits without leading zeros: a part of what `_WHOLE_NUMBER` takes."""
    length = pc.binary_length(texts)
    padded = pc.and_(pc.starts_with(texts, "0"), pc.greater(length, 1))
    return pc.and_(pc.ascii_is_decimal(texts), pc.and_(pc.less_equal(length, 18), pc.invert(padded)))


def _latest(now: int) -> int:
    return min(LATEST_MS - 1, now + FUTURE_MS)


def good_rows(events: pa.RecordBatch, now: int) -> pa.Array:
    """Which rows keep the rules of `contracts.tags` at the clock `now` (epoch milliseconds): booleans, no nulls.

    That `time_text` says the same as `time` is left to who wrote the record: parsing texts costs more than all else.
    """
    columns = {field.name: coded.join([events.column(field.name)], field.type) for field in EVENT_SCHEMA}
    good = pc.and_(pc.greater_equal(columns["time"], 0), pc.less_equal(columns["time"], _latest(now)))
    for name, allowed in _ALLOWED.items():
        good = pc.and_(good, pc.is_in(columns[name], value_set=allowed))
    for name in _TEXT_COLUMNS:
        good = pc.and_(good, _has_length(columns[name], _LONGEST_TEXT))
    good = pc.and_(good, _has_length(columns["time_text"], _LONGEST_TIME).fill_null(True))
    numeric = pc.match_substring_regex(columns["product_id"], _WHOLE_NUMBER)
    return pc.and_(good, pc.or_(pc.invert(columns["product_id_is_number"]), numeric))


def _has_length(texts: pa.Array, longest: int) -> pa.Array:
    length = pc.utf8_length(texts)
    return pc.and_(pc.greater(length, 0), pc.less_equal(length, longest))
