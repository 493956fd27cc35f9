"""The batch codec: whatever bytes stand in the log, every line becomes an event or a reject, and always the same."""

import json
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts import arrow_events, lines
from contracts.codec import Record, Reject, count_lines, decode, encode_arrow, encode_lines, is_arrow
from contracts.events import COUNTED_SCHEMA, EVENT_SCHEMA, PLACED_SCHEMA, events_of, tags_of
from contracts.tags import InvalidTag, ProductInfo, UserTag, check_not_future, decode_tag, event_time
from contracts.times import FUTURE_MS, LATEST_MS
from tests.unit.strategies import ARROW_NUMBERS, NOW, logs, tags, times

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


@given(st.lists(tags(), max_size=5))
def test_lines_come_back_as_they_were(held: list[UserTag]) -> None:
    payload = encode_lines(held)
    assert not is_arrow(payload)
    assert only(payload) == (held, [])
    assert count_lines(payload) == len(held)


@given(st.lists(tags(number=ARROW_NUMBERS), max_size=5))
def test_arrow_comes_back_as_it_was(held: list[UserTag]) -> None:
    payload = encode_arrow(arrow_of(held))
    assert is_arrow(payload)
    assert only(payload) == (held, [])
    assert count_lines(payload) == len(held)


@given(st.lists(tags(number=ARROW_NUMBERS), min_size=1, max_size=5))
def test_both_formats_make_equal_events(held: list[UserTag]) -> None:
    as_lines = decode([record(encode_lines(held))]).events
    assert as_lines.equals(decode([record(encode_arrow(arrow_of(held)))]).events)
    assert as_lines.column("time").to_pylist() == [event_time(tag) for tag in held]


@given(logs())
def test_many_records_are_each_of_them(log: list[Record]) -> None:
    whole = decode(log)
    parts = [decode([one]) for one in log]
    events = [row for part in parts for row in part.events.to_pylist()]
    assert whole.events.to_pylist() == events
    assert whole.rejects == [reject for part in parts for reject in part.rejects]


# Lines that are nearly good, and pieces that make two of one line and one of two.
FRAGMENTS = st.sampled_from(
    [
        LINE,
        LINE.strip(),
        b"\n",
        b" \r\n",
        b"{}",
        b"}",
        b"{",
        b"\xfe",
        LINE[:60],
        LINE[60:],
        LINE.replace(b":{", b":\n{"),
    ]
)


@given(st.lists(FRAGMENTS, max_size=8).map(b"".join))
@example(LINE.strip() + LINE.strip() + b"\n\n")  # as many objects as lines, not one a line
@example(LINE.strip().replace(b":{", b":\n{") + LINE)
@example(b"\n" + LINE.strip() + LINE.strip())  # a break before the first
def test_decode_and_the_collectors_rules_agree_on_every_line(payload: bytes) -> None:
    good: list[tuple[int, UserTag]] = []
    bad: list[tuple[int, str, str, bytes]] = []
    for number, line in enumerate(payload.split(b"\n")):
        if line.strip():
            try:
                tag = decode_tag(line)
                check_not_future(event_time(tag), NOW)
                good.append((number, tag))
            except InvalidTag as error:
                bad.append((number, error.field, error.reason, line))
    events, rejects = decode([record(payload)])
    assert list(zip(events.column("line").to_pylist(), tags_of(events), strict=True)) == good
    assert [tuple(reject)[1:] for reject in rejects] == bad


@given(st.binary(max_size=300))
@example(b"\xff\xff\xff\xff")
@example(b"\xff\xff\xff\xff\x00\x00\x00\x00")
@example(b"\xff\xff\xff\xff\xff\xff\xff\x7f")
def test_any_bytes_become_rejects_that_hold_them(payload: bytes) -> None:
    held, rejects = only(payload)
    assert not held
    wanted = [payload] if is_arrow(payload) else [line for line in payload.split(b"\n") if line.strip()]
    assert [reject.data for reject in rejects] == wanted
    assert count_lines(payload) >= len(rejects)
    assert all(reject.reason for reject in rejects)


@given(st.lists(tags(number=ARROW_NUMBERS), min_size=1, max_size=3), st.data())
def test_a_damaged_arrow_stream_never_raises(held: list[UserTag], data: st.DataObject) -> None:
    payload = bytearray(encode_arrow(arrow_of(held)) if data.draw(st.booleans()) else streamed(table_of(held)))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(4, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(4, len(payload)) | st.just(len(payload)))]
    got, rejects = only(bytes(payload))
    if [reject.line for reject in rejects] == [-1]:
        assert rejects[0].data == payload
    else:
        assert len(got) + len(rejects) == count_lines(bytes(payload))


def table_of(held: Sequence[UserTag]) -> pa.Table:
    return pa.Table.from_batches([arrow_of(held)])


@given(st.lists(st.sampled_from([LINE, b"{}\n", b"no\n", b"\n", b"\xff\xfe\n"]), max_size=10))
def test_good_lines_of_a_bad_record_are_kept(parts: list[bytes]) -> None:
    payload = b"".join(parts)
    held, rejects = only(payload)
    assert held == [TAG] * parts.count(LINE)
    assert [(reject.line, reject.data) for reject in rejects] == [
        (number, part[:-1]) for number, part in enumerate(parts) if part not in (LINE, b"\n")
    ]
    assert count_lines(payload) == len(parts) == len(held) + len(rejects) + parts.count(b"\n")


@given(times(NOW + 2 * FUTURE_MS), st.integers(0, NOW + 2 * FUTURE_MS))
def test_times_are_judged_by_the_records_timestamp(time: int | str, timestamp: int) -> None:
    tag = UserTag(time, "c", "PL", "PC", "BUY", "o", ProductInfo(1, "b", "c", 5))
    future = event_time(tag) > timestamp + FUTURE_MS
    for payload in (encode_lines([tag]), encode_arrow(arrow_of([tag]))):
        held, rejects = only(payload, timestamp)
        assert (held, len(rejects)) == (([], 1) if future else ([tag], 0))
    assert lines.read(encode_lines([tag]), timestamp).bad == [] or future


@pytest.mark.parametrize("time", [-1, LATEST_MS, 2**63 - 1, -(2**63)])
def test_times_that_no_store_can_hold(time: int) -> None:
    for payload in (
        LINE.replace(str(NOW).encode(), str(time).encode()),
        streamed(changed("time", pa.array([time, time]))),
    ):
        held, rejects = only(payload, 2**62)
        assert not held
        assert len(rejects) == count_lines(payload)


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


@given(logs())
def test_fewer_columns_are_of_the_same_events(log: list[Record]) -> None:
    whole, counted = decode(log), decode(log, COUNTED_SCHEMA)
    assert counted.events.schema.equals(COUNTED_SCHEMA)
    assert counted.rejects == whole.rejects
    for name in COUNTED_SCHEMA.names:
        assert counted.events.column(name).to_pylist() == whole.events.column(name).to_pylist()


def test_a_stream_of_several_batches_counts_its_rows_through() -> None:
    table = pa.concat_tables([table_of([TAG, TAG]), table_of([TAG])])
    events, rejects = decode([record(streamed(table))])
    assert events.column("line").to_pylist() == [0, 1, 2]
    assert not rejects
    assert count_lines(streamed(table)) == 3


def test_an_empty_record_is_nothing() -> None:
    assert only(b"") == ([], [])
    assert only(encode_arrow(arrow_of([]))) == ([], [])
    assert count_lines(b"") == count_lines(encode_arrow(arrow_of([]))) == 0
    assert decode([]).events.num_rows == 0
