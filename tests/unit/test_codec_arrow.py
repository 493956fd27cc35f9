"""The batch codec on Arrow records: which columns it takes, and which rows of them."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import arrow_events
from contracts.codec import count_lines, decode
from contracts.events import EVENT_SCHEMA
from contracts.tags import UserTag
from contracts.times import FUTURE_MS
from tests.unit.codec_records import TAG, arrow_of, changed, only, record, streamed, table_of
from tests.unit.strategies import NOW, tags


@pytest.mark.parametrize("text", ["cookie", "country", "origin", "brand_id", "category_id", "device", "action"])
def test_texts_may_be_dictionaries_or_large(text: str) -> None:
    plain = pa.table({text: table_of([TAG, TAG])[text]})[text].combine_chunks()
    for values in (plain.dictionary_encode(), plain.cast(pa.large_string())):
        assert only(streamed(changed(text, values))) == ([TAG, TAG], [])


def test_numbers_may_be_of_any_width_and_columns_in_any_order() -> None:
    table = changed("price", pa.array([5, 5], pa.int8())).append_column("weather", pa.array(["fine", "foul"]))
    table = table.select(table.column_names[::-1])
    assert only(streamed(table)) == ([TAG, TAG], [])


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("price", pa.array([5, 2**31]), "2147483648"),
        ("price", pa.array([5.0, 6.0]), "column price is double"),
        ("price", pa.array(["5", "6"]), "column price is string"),
        ("price", pa.array([5, None], pa.int32()), "nulls in column price"),
        ("time", pa.array([NOW, NOW], pa.timestamp("us")), "column time is timestamp"),
        ("cookie", pa.array([b"a", b"b"]), "column cookie is binary"),
        ("cookie", pa.array(["a", None]), "nulls in column cookie"),
        ("action", pa.DictionaryArray.from_arrays([0, 1], pa.array(["BUY", None])), "nulls in column action"),
        ("product_id_is_number", pa.array([1, 0]), "column product_id_is_number is int64"),
        ("cookie", pa.array([["a"], ["b"]]), "column cookie is list"),
    ],
)
def test_a_column_of_another_kind_refuses_the_record(column: str, values: pa.Array, reason: str) -> None:
    payload = streamed(changed(column, values))
    held, rejects = only(payload)
    assert not held
    assert [(reject.line, reject.data) for reject in rejects] == [(-1, payload)]
    assert reason in rejects[0].reason


@pytest.mark.parametrize("column", EVENT_SCHEMA.names)
def test_a_missing_or_doubled_column_refuses_the_record(column: str) -> None:
    table = table_of([TAG])
    for broken in (table.drop_columns([column]), table.append_column(column, table[column])):
        held, rejects = only(streamed(broken))
        assert not held
        assert len(rejects) == 1
        assert column in rejects[0].reason


def test_bytes_that_are_no_utf8_or_point_nowhere_refuse_the_record() -> None:
    invalid = pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers())
    outside = pa.DictionaryArray.from_arrays(pa.array([0, 9], pa.int8()), pa.array(["a"]), safe=False)
    for values in (invalid, outside):
        payload = streamed(changed("cookie", values))
        assert [reject.line for reject in only(payload)[1]] == [-1]


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("device", "FRIDGE", "device"),
        ("action", "view", "action"),
        ("cookie", "", "cookie"),
        ("cookie", "x" * 257, "cookie"),
        ("origin", "", "origin"),
        ("time_text", "", "time"),
        ("time_text", "x" * 65, "time"),
        ("product_id", "01", ""),  # no number as JSON has it: as text it would do
        ("product_id", "1" * 19, ""),
        ("product_id", "-0", ""),
        ("product_id", "1\n", ""),
        ("time", -1, "time"),
        ("time", NOW + FUTURE_MS + 1, "time"),
    ],
)
def test_a_bad_row_is_refused_as_a_line_and_the_others_kept(column: str, value: object, field: str) -> None:
    good = arrow_of([TAG]).to_pylist()[0]
    table = pa.Table.from_pylist([good, {**good, column: value}, good], EVENT_SCHEMA)
    events, rejects = decode([record(streamed(table))])
    assert events.column("line").to_pylist() == [0, 2]
    assert [reject.line for reject in rejects] == [1]
    assert rejects[0].field == field
    assert rejects[0].reason
    sent = json.loads(rejects[0].data)
    flat = {**sent.pop("product_info"), **sent}
    column, value = ("time", value) if column == "time_text" else (column, value)
    assert str(flat[column]) == str(value)
    assert {name: flat[name] for name in flat if name not in (column, "time")} == {
        name: int(good[name]) if name == "product_id" else good[name] for name in flat if name not in (column, "time")
    }


ODD_TEXTS = st.sampled_from(["", "0", "00", "-1", "17", "x" * 256, "x" * 257, "é" * 200, "9" * 18, "9" * 19, "٣"])


@given(st.lists(st.tuples(ODD_TEXTS, st.booleans(), st.integers(-2, 2), st.sampled_from(["PC", "TV", "Fridge"]))))
def test_the_cheap_look_finds_no_row_good_that_is_not(held: list[tuple[str, bool, int, str]]) -> None:
    """`decode` asks the dear look where the cheap one does not know."""
    good = arrow_of([TAG]).to_pylist()[0]
    rows = [
        {**good, "product_id": text, "product_id_is_number": number, "time": NOW + FUTURE_MS + ahead, "device": device}
        for text, number, ahead, device in held
    ]
    events = pa.RecordBatch.from_pylist(rows, EVENT_SCHEMA)
    if arrow_events.all_good(events, NOW):
        assert arrow_events.good_rows(events, NOW).false_count == 0
    verdicts = arrow_events.good_rows(events, NOW).to_pylist()
    wanted = [row["product_id"] for row, is_good in zip(rows, verdicts, strict=True) if is_good]
    assert decode([record(streamed(pa.Table.from_batches([events])))]).events["product_id"].to_pylist() == wanted


@given(st.lists(tags(number=st.integers(0, 10**18 - 1)), max_size=5))
def test_the_cheap_look_is_enough_for_what_usually_comes(held: list[UserTag]) -> None:
    few = [tag for tag in held if max(map(len, texts_of(tag))) <= 60]
    assert arrow_events.all_good(arrow_of(few), 2**42)


def texts_of(tag: UserTag) -> list[bytes]:
    product = tag.product_info
    texts = [tag.cookie, tag.country, tag.origin, str(product.product_id), product.brand_id, product.category_id]
    return [text.encode() for text in texts]


def test_a_stream_of_several_batches_counts_its_rows_through() -> None:
    table = pa.concat_tables([table_of([TAG, TAG]), table_of([TAG])])
    events, rejects = decode([record(streamed(table))])
    assert events.column("line").to_pylist() == [0, 1, 2]
    assert not rejects
    assert count_lines(streamed(table)) == 3
