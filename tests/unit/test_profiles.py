"""The merge of profiles: properties that make replays, disorder and two writers harmless."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from analysis.profiles import EMPTY, ProfileEvent, ProfileUpdate, identity, merge, merge_profiles, select

TOPIC = UUID("12345678-0000-4000-8000-000000000000")


def event_at(time: int, offset: int) -> ProfileEvent:
    """What stands at an offset is always the same event: times and bytes follow from it."""
    return ProfileEvent(time, identity(TOPIC, offset % 3, offset, offset % 5), b'{"offset":%d}' % offset)


EVENTS = st.lists(st.builds(lambda offset: event_at(offset * 7919 % 13, offset), st.integers(0, 60)), max_size=30)
KEEP = st.integers(0, 12)


@given(EVENTS, EVENTS, KEEP)
def test_merge_is_commutative(left: list[ProfileEvent], right: list[ProfileEvent], keep: int) -> None:
    assert merge(left, right, keep) == merge(right, left, keep)


@given(EVENTS, EVENTS, EVENTS, KEEP)
def test_merge_is_associative(
    first: list[ProfileEvent], second: list[ProfileEvent], third: list[ProfileEvent], keep: int
) -> None:
    assert merge(merge(first, second, keep), third, keep) == merge(first, merge(second, third, keep), keep)


@given(EVENTS, EVENTS, KEEP)
def test_merge_is_idempotent(left: list[ProfileEvent], right: list[ProfileEvent], keep: int) -> None:
    once = merge(left, right, keep)
    assert merge(once, right, keep) == once


@given(EVENTS, EVENTS, KEEP)
def test_merge_keeps_the_newest_of_the_union(left: list[ProfileEvent], right: list[ProfileEvent], keep: int) -> None:
    by_place = {event.identity: event for event in [*left, *right]}
    newest_first = sorted(by_place.values(), key=lambda event: (-event.time, [-byte for byte in event.identity]))
    assert merge(left, right, keep) == newest_first[:keep]


def test_of_equal_times_the_later_in_the_log_comes_first() -> None:
    early = ProfileEvent(5, identity(TOPIC, 1, 255, 9), b"early")
    late = ProfileEvent(5, identity(TOPIC, 1, 256, 0), b"late")
    assert merge([early], [late], 2) == [late, early]


def test_lists_merge_apart() -> None:
    view, buy = event_at(1, 1), event_at(2, 2)
    merged = merge_profiles(ProfileUpdate([view], []), ProfileUpdate([], [buy]), 5)
    assert (merged.views, merged.buys) == ([view], [buy])
    assert merge_profiles(EMPTY, EMPTY, 5) == EMPTY


def test_select_is_half_open_and_limits_after_the_filter() -> None:
    events = [ProfileEvent(time, b"%018d" % time, b"") for time in (9, 8, 7, 6, 5)]
    assert [event.time for event in select(events, 6, 9, 10)] == [8, 7, 6]
    assert [event.time for event in select(events, 6, 9, 2)] == [8, 7]
    assert select(events, 6, 6, 10) == []
    assert select(events, 0, 100, 0) == []
