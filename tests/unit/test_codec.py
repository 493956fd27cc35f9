"""The batch codec: whatever bytes stand in the log, every line becomes an event or a reject, and always the same."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts import lines
from contracts.codec import Record, count_lines, decode, encode_arrow, encode_lines, is_arrow
from contracts.events import COUNTED_SCHEMA, tags_of
from contracts.tags import InvalidTag, ProductInfo, UserTag, check_not_future, decode_tag, event_time
from contracts.times import FUTURE_MS, LATEST_MS
from tests.unit.codec_records import LINE, TAG, arrow_of, changed, only, record, streamed, table_of
from tests.unit.strategies import ARROW_NUMBERS, NOW, logs, tags, times


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


@given(logs())
def test_fewer_columns_are_of_the_same_events(log: list[Record]) -> None:
    whole, counted = decode(log), decode(log, COUNTED_SCHEMA)
    assert counted.events.schema.equals(COUNTED_SCHEMA)
    assert counted.rejects == whole.rejects
    for name in COUNTED_SCHEMA.names:
        assert counted.events.column(name).to_pylist() == whole.events.column(name).to_pylist()


def test_an_empty_record_is_nothing() -> None:
    assert only(b"") == ([], [])
    assert only(encode_arrow(arrow_of([]))) == ([], [])
    assert count_lines(b"") == count_lines(encode_arrow(arrow_of([]))) == 0
    assert decode([]).events.num_rows == 0
