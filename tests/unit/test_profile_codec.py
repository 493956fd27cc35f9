"""The bytes of a stored profile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.profiles import EMPTY, ProfileEvent, ProfileUpdate, merge_profiles
from stores.profile_codec import CorruptProfile, ProfileCodec

KEEP = 8


def event_of(number: int) -> ProfileEvent:
    text = f'{{"cookie":"żółw 🐢","n":{number},"pad":"{"x" * (number * 37 % 400)}"}}'
    return ProfileEvent(number * 7919 % 11, b"%018d" % number, text.encode())


EVENTS = st.lists(st.builds(event_of, st.integers(0, 40)), max_size=12)
UPDATES = st.lists(st.builds(ProfileUpdate, EVENTS, EVENTS), min_size=1, max_size=12)


@given(UPDATES)
def test_a_value_is_the_merge_of_what_was_added(updates: list[ProfileUpdate]) -> None:
    codec, value, expected = ProfileCodec(KEEP), None, EMPTY
    for update in updates:
        value = codec.add(value, update)
        expected = merge_profiles(expected, update, KEEP)
        assert codec.decode(value) == expected
    assert value is not None
    assert codec.decode(codec.fold(value)) == expected


@given(UPDATES)
def test_a_replay_changes_nothing(updates: list[ProfileUpdate]) -> None:
    codec, value = ProfileCodec(KEEP), b""
    for update in updates:
        value = codec.add(value, update)
    again = value
    for update in updates:
        again = codec.add(again, update)
    assert codec.decode(again) == codec.decode(value)


def test_a_value_stays_small_however_often_events_come_again() -> None:
    codec, value = ProfileCodec(KEEP), None
    update = ProfileUpdate([event_of(number) for number in range(20)], [])
    largest = 0
    for _ in range(200):
        value = codec.add(value, update)
        largest = max(largest, len(value))
    assert largest < 2048


def test_a_typical_event_takes_less_than_150_bytes_alone() -> None:
    line = (
        b'{"time":"2022-03-01T00:00:00.649Z","cookie":"9WkYGxkiXBfpMIjBGURC","country":"CL","device":"MOBILE",'
        b'"action":"VIEW","origin":"CAMPAIGN_321","product_info":{"product_id":12486,"brand_id":"Ebros_Gift",'
        b'"category_id":"Trousers","price":28969}}'
    )
    update = ProfileUpdate([ProfileEvent(1_646_092_800_649, b"\x12\x34\x56\x78" + bytes(14), line)], [])
    assert len(ProfileCodec(KEEP).frame(update)) < 150


def test_nothing_is_empty_lists() -> None:
    codec = ProfileCodec(KEEP)
    assert codec.decode(b"") == EMPTY
    assert codec.decode(codec.frame(ProfileUpdate([], []))) == EMPTY


@pytest.mark.parametrize(
    "value", [b"x", b"\x07\x00\x00\x00\x00", b"\x01\x00\x00\x00\x09abc", b"\x01\x00\x00\x00\x03abc"]
)
def test_strange_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(CorruptProfile):
        ProfileCodec(KEEP).decode(value)
