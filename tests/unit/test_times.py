"""Instants: one parser for all parts, and the two ways times are written."""

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.times import (
    EPOCH,
    LATEST_MS,
    check_range,
    format_millis,
    format_seconds,
    parse_instant,
    parse_time_range,
)

MILLISECONDS = st.integers(0, LATEST_MS - 1)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)  # minutes east of UTC


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2022-03-01T00:00:00.649Z", 1_646_092_800_649),
        ("2022-03-01T00:00:01Z", 1_646_092_801_000),
        ("2022-03-01T00:00:00.6499999Z", 1_646_092_800_649),  # cut, not rounded
        ("2022-03-01T23:59:59.99999999999999999Z", 1_646_179_199_999),
        ("2022-03-01T00:00:00.123456789+00:00", 1_646_092_800_123),
        ("2022-03-01T00:00:00.6Z", 1_646_092_800_600),
        ("2022-03-01T01:00:00+01:00", 1_646_092_800_000),
        ("2022-02-28T23:30:00-00:30", 1_646_092_800_000),
        ("2022-03-01t00:00:00z", 1_646_092_800_000),
        ("2022-03-01 00:00:00Z", 1_646_092_800_000),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000),
        ("2022-03-01 00:00:00.649Z", 1_646_092_800_649),
        ("1970-01-01T00:00:00.001Z", 1),
        ("2106-02-07T06:27:15.999Z", LATEST_MS - 1),
    ],
)
def test_rfc_3339(text: str, milliseconds: int) -> None:
    assert parse_instant(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an RFC 3339 time"),
        ("yesterday", "not an RFC 3339 time"),
        ("1646092800649", "not an RFC 3339 time"),
        ("2022-03-01", "not an RFC 3339 time"),
        ("2023-02-29T00:00:00Z", "not an RFC 3339 time"),
        ("2022-03-01T00:00:00", "without a zone"),
        ("2022-03-01T00:00:00.64٣Z", "not an RFC 3339 time"),  # a digit, and no ASCII
        ("2022-03-01T00:00:00.+64Z", "not an RFC 3339 time"),
        ("2023-02-29T00:00:00.649Z", "2023-02-29T00:00:00.649Z"),  # the whole text is told
        ("1969-12-31T23:59:59.999Z", "outside 1970..2105: -1 ms"),
        ("2106-02-07T06:28:00Z", "outside 1970..2105"),
        ("9999-12-31T23:59:59Z", "outside 1970..2105"),
    ],
)
def test_what_is_no_time_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_instant(text)


@given(MILLISECONDS, OFFSETS, st.integers(0, 999))
def test_any_instant_in_any_zone(milliseconds: int, offset: int, finer: int) -> None:
    local = datetime.fromtimestamp(0, timezone(timedelta(minutes=offset))) + timedelta(milliseconds=milliseconds)
    text = local.replace(microsecond=milliseconds % 1000 * 1000 + finer).isoformat(timespec="microseconds")
    assert parse_instant(text) == milliseconds


@given(MILLISECONDS)
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_instant(format_millis(milliseconds) + "Z") == milliseconds
    seconds = format_seconds(milliseconds)
    assert parse_instant(seconds + "Z") == milliseconds // 1000 * 1000
    assert seconds == (EPOCH + timedelta(milliseconds=milliseconds)).isoformat()[:19]


@given(st.text(max_size=80))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_instant(text) < LATEST_MS


@given(st.integers())
def test_a_number_is_in_range_or_a_value_error(number: int) -> None:
    if 0 <= number < LATEST_MS:
        assert check_range(number) == number
    else:
        with pytest.raises(ValueError, match="outside 1970..2105"):
            check_range(number)


@given(MILLISECONDS, MILLISECONDS)
def test_ranges_are_two_instants(one: int, other: int) -> None:
    begin, end = sorted((one, other))
    assert parse_time_range(f"{format_millis(begin)}_{format_millis(end)}") == (begin, end)
    if begin < end:
        with pytest.raises(ValueError, match="ends before it begins"):
            parse_time_range(f"{format_millis(end)}_{format_millis(begin)}")


def test_ranges_take_0_to_3_digits() -> None:
    expected = (1_646_092_800_000, 1_646_092_800_500)
    for begin in ("00:00:00", "00:00:00.0", "00:00:00.00", "00:00:00.000"):
        for end in ("00:00:00.5", "00:00:00.50", "00:00:00.500"):
            assert parse_time_range(f"2022-03-01T{begin}_2022-03-01T{end}") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2022-03-01T00:00:00", "must be <from>_<to>"),
        ("2022-03-01T00:00:00_", "not an RFC 3339 time"),
        ("_2022-03-01T00:00:00", "not an RFC 3339 time"),
        ("2022-03-01T00:00:00.0001_2022-03-01T00:00:01", "at most 3 fractional digits"),
        ("2022-03-01T00:00:00+01:00_2022-03-01T00:00:01", "UTC times without a zone"),
        ("2022-03-01T00:00:00Z_2022-03-01T00:00:01Z", "not an RFC 3339 time"),
    ],
)
def test_what_is_no_range_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_time_range(text)
