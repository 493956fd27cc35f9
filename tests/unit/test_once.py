"""Keys of records that count once: judged by the order of the log, whatever the collectors' clocks say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.times import DAY_MS
from jobs.once import DAYS, ONCE_MS, Remembered

NOON = 20_000 * DAY_MS + DAY_MS // 2


class Held(dict[Any, int]):
    """A map of keyed state."""

    put = dict.__setitem__


class World:
    def __init__(self) -> None:
        self.days, self.keys = Held(), [Held() for _ in range(DAYS)]
        self.remembered = Remembered(self.days, list(self.keys))

    def __call__(self, key: str, arrived: int) -> bool:
        return self.remembered.came_before(key, arrived)


@pytest.mark.parametrize("later", [0, 1, 5_000, DAY_MS // 2, ONCE_MS - 1])
def test_the_first_in_the_log_counts_whichever_is_older(later: int) -> None:
    """An original that a producer wrote late stands behind its repetition, and came in before it."""
    for first, second in ((NOON, NOON + later), (NOON + later, NOON)):
        came_before = World()
        assert not came_before("a", first)
        assert not came_before("b", second)
        assert came_before("a", second)
        assert came_before("a", first)


@pytest.mark.parametrize("apart", [ONCE_MS, 2 * DAY_MS, 3 * DAY_MS, 300 * DAY_MS])
def test_a_day_apart_both_count(apart: int) -> None:
    for first, second in ((NOON, NOON + apart), (NOON + apart, NOON)):
        came_before = World()
        assert not came_before("a", first)
        assert not came_before("a", second)
        assert came_before("a", second)


def test_no_more_than_three_days_are_held() -> None:
    came_before = World()
    for hour in range(24 * 40):
        assert not came_before(f"key {hour}", NOON + hour * DAY_MS // 24)
        assert sum(map(len, came_before.keys)) <= DAYS * 24


def test_one_clock_that_is_wrong_makes_few_forgotten() -> None:
    """At most those of one day of three."""
    for wrong in range(400, 400 + DAYS):
        came_before = World()
        for back in (1, 0):
            assert not came_before(f"day {back}", NOON - back * (DAY_MS // 2 + 1))
        assert not came_before("fast", NOON + wrong * DAY_MS)
        assert sum(came_before(f"day {back}", NOON - back * (DAY_MS // 2 + 1)) for back in (1, 0)) >= 1
        assert not came_before("since", NOON)
        assert came_before("since", NOON)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * DAY_MS - 1)), max_size=30))
def test_within_three_days_it_is_as_if_nothing_were_forgotten(log: list[tuple[str, int]]) -> None:
    came_before, counted = World(), list[tuple[str, int]]()
    start = 19_998 * DAY_MS
    for key, at in log:
        arrived = start + at
        before = [one for other, one in counted if other == key]
        expected = any(abs(arrived - one) < ONCE_MS for one in before)
        assert came_before(key, arrived) == expected
        if not expected:
            counted.append((key, arrived))
