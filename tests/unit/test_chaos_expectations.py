"""Whoever judges a campaign of kills must see what is lost, doubled, changed or made up."""

import re
from collections import Counter

import msgspec
import pyarrow as pa
import pytest

from contracts.codec import Record, decode, encode_lines
from contracts.events import PLACED_SCHEMA
from contracts.tags import UserTag
from contracts.times import LATEST_MS
from testbed.generator import Traffic
from tests.chaos import expectations
from tests.chaos.streams import SentRecord, Stream

SENT = 40
LOST, TWICE = 3, 4  # tags that were sent and not acknowledged
SKIPPED = 5


def make_stream() -> Stream:
    stream = Stream(Traffic(8, cookies=3, step_ms=10))
    for index in range(SENT):
        if index != SKIPPED:
            stream.send(index)
        if index not in (SKIPPED, LOST, TWICE):
            stream.acknowledge(index)
    return stream


def archive(stream: Stream, indices: list[int], changed: dict[int, UserTag] | None = None) -> pa.RecordBatch:
    tags = [(changed or {}).get(index) or stream.traffic.tag(index) for index in indices]
    return decode([Record(0, LATEST_MS - 1, 0, encode_lines(tags))]).events


RIGHT = [index for index in range(SENT) if index not in (LOST, SKIPPED)]


def test_what_was_acknowledged_once_is_right() -> None:
    stream = make_stream()
    events = archive(stream, RIGHT)
    assert list(expectations.wrong_in_archive(stream, events)) == []
    assert expectations.tally(stream, events) == (SENT - 3, 2, 1)


@pytest.mark.parametrize(
    ("indices", "problem"),
    [
        (RIGHT[1:], "tag 0 of .*, acknowledged: 0 times"),
        ([*RIGHT, 7], "tag 7 of .*, acknowledged: 2 times"),
        ([*RIGHT, TWICE], "tag 4 of .*, not acknowledged: 2 times"),
        ([*RIGHT, SKIPPED], "tag 5 of .*, never sent: 1 times"),
    ],
)
def test_a_tag_that_is_lost_doubled_or_made_up_is_seen(indices: list[int], problem: str) -> None:
    stream = make_stream()
    (found,) = expectations.wrong_in_archive(stream, archive(stream, indices))
    assert re.match(problem, found)


def test_a_tag_that_came_out_otherwise_is_seen() -> None:
    stream = make_stream()
    other = msgspec.structs.replace(stream.traffic.tag(9), country="XX")
    events = archive(stream, RIGHT, {9: other})
    (found,) = expectations.wrong_in_archive(stream, events)
    assert "XX" in found


def test_an_empty_archive_lacks_everything() -> None:
    stream = make_stream()
    nothing = pa.RecordBatch.from_pylist([], PLACED_SCHEMA)
    assert len(list(expectations.wrong_in_archive(stream, nothing))) == SENT - 3
    assert expectations.groups_of(nothing) == {}
    assert set(expectations.profiles_of(stream, nothing)) == {
        stream.traffic.tag(index).cookie for index in (LOST, TWICE)
    }


def test_groups_that_count_otherwise_are_seen() -> None:
    groups = expectations.groups_of(archive(make_stream(), RIGHT))
    assert sum(count for count, _ in groups.values()) == len(RIGHT)
    assert list(expectations.wrong_groups(groups, dict(groups))) == []
    key = next(iter(groups))
    for other in ({**groups, key: (2, groups[key][1])}, {k: v for k, v in groups.items() if k != key}):
        assert len(list(expectations.wrong_groups(groups, other))) == 1
        assert len(list(expectations.wrong_groups(other, groups))) == 1


def test_profiles_are_newest_first_and_cut() -> None:
    stream = Stream(Traffic(8, cookies=1))
    events = archive(stream, list(range(300)))
    (profile,) = expectations.profiles_of(stream, events).values()
    views = [index for index in range(300) if stream.traffic.tag(index).action == "VIEW"]
    assert len(views) > expectations.SHOWN
    assert profile.count(b'"VIEW"') == expectations.SHOWN
    assert profile.index(b'"VIEW"') < profile.index(b'"BUY"')
    newest = stream.traffic.tag(views[-1]).time
    assert profile.split(b'"time":"')[1].startswith(str(newest).encode())


RECORDS = [
    SentRecord([b"a", b"b"], [10, 20], acknowledged=True),
    SentRecord([b"c"], [30], acknowledged=False),
    SentRecord([b"d", b"e"], [], acknowledged=False),
]


@pytest.mark.parametrize("letters", ["ab", "abc", "abde", "abcde"])
def test_records_that_are_there_wholly_or_not_at_all_are_right(letters: str) -> None:
    archived = {10, 20} | ({30} if "c" in letters else set())
    found = Counter(letter.encode() for letter in letters)
    assert list(expectations.wrong_letters(RECORDS, archived, found)) == []


@pytest.mark.parametrize(
    ("letters", "archived"),
    [
        ("a", {10, 20}),  # lost
        ("abb", {10, 20}),  # doubled
        ("ab", {10}),  # a tag is lost
        ("abc", {10, 20}),  # half a record
        ("ab", {10, 20, 30}),
        ("abd", {10, 20}),
        ("abx", {10, 20}),  # never sent
    ],
)
def test_letters_that_are_lost_doubled_or_made_up_are_seen(letters: str, archived: set[int]) -> None:
    found = Counter(letter.encode() for letter in letters)
    assert len(list(expectations.wrong_letters(RECORDS, archived, found))) == 1
