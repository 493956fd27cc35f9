"""Many instants at once: whatever is read so is what `parse_instant` reads, one by one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import instants, lines
from contracts.instants import parse_instants
from contracts.tags import ProductInfo, UserTag, encode_tag
from contracts.times import LATEST_MS, format_millis, parse_instant

NOW = LATEST_MS
MILLISECONDS = st.integers(0, LATEST_MS - 1)
NUMERALS = st.integers(0, 99).map("{:02d}".format)
# Of the usual shape, but with months, days, hours that there may not be.
SHAPED = st.builds("{}{}-{}-{}T{}:{}:{}.{}0Z".format, st.sampled_from(["19", "20", "21"]), *[NUMERALS] * 6, NUMERALS)
STRANGE = st.text("0123456789-:.TZtz +٣\x00", min_size=24, max_size=24)


@given(st.lists(MILLISECONDS, min_size=1, max_size=20))
def test_times_of_the_usual_spelling(times: list[int]) -> None:
    assert parse_instants([f"{format_millis(time)}Z" for time in times]) == times


@given(SHAPED | STRANGE)
def test_what_is_read_is_what_one_by_one_reads(text: str) -> None:
    found = parse_instants([text])
    if found is not None:
        assert found == [parse_instant(text)]


@given(SHAPED)
def test_what_exists_is_read(text: str) -> None:
    try:
        expected = parse_instant(text)
    except ValueError:
        assert parse_instants([text]) is None
    else:
        assert parse_instants([text]) == [expected]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["2022-03-01T00:00:00Z"],
        ["2022-03-01T00:00:00.649Z2022", "-03-01T00:00:00.649Z"],  # right only as one text
        ["2022-03-01T00:00:00.649Z", 1_646_092_800_649],
        ["2022-03-01T00:00:00.649+"],
        ["2022-02-29T00:00:00.000Z"],
        ["1969-12-31T23:59:59.999Z"],
        ["2106-02-07T06:28:00.000Z"],
        ["٢٠٢٢-03-01T00:00:00.649Z"],
    ],
)
def test_all_else_is_left_to_the_other(texts: list[Any]) -> None:
    assert parse_instants(texts) is None


def test_many_lines_with_one_odd_spelling_are_all_read() -> None:
    product = ProductInfo(1, "b", "c", 5)
    spelt: list[int | str] = [f"{format_millis(time)}Z" for time in range(10**12, 10**12 + 2 * instants.FEWEST)]
    tags = [UserTag(time, "cookie", "PL", "PC", "VIEW", "o", product) for time in spelt]
    for odd in ("2022-03-01T01:00:00+01:00", 1_646_092_800_000):
        tags[7].time = odd
        found = lines.read(b"".join(encode_tag(tag) + b"\n" for tag in tags), NOW)
        assert found.times[7] == 1_646_092_800_000
        assert found.times[:7] == list(range(10**12, 10**12 + 7))
        assert not found.bad
    tags[7].time = "2022-02-30T00:00:00.000Z"
    found = lines.read(b"".join(encode_tag(tag) + b"\n" for tag in tags), NOW)
    assert [bad.number for bad in found.bad] == [7]
    assert len(found.times) == len(tags) - 1
