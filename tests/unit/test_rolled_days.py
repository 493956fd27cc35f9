"""What is remembered of the hours of a metric's days."""

from collections.abc import Sequence
from typing import Any

import pytest

from analysis.statistics import Sums
from api.rolled_days import DAY, MOST, MOST_ROWS_A_DAY, RolledDays

HOUR = 3600


def row(hour: int, host: str, value: float, last_time: int = 0) -> tuple[Any, ...]:
    return hour, {"host": host, "region": "eu"}, 1, value, value, value, value * value, value, last_time


class Store:
    """Rows of a day by metric; counts how often they were asked for."""

    def __init__(self, **rows: Sequence[tuple[Any, ...]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, int]] = []

    def read(self, metric: str, begin: int, most: int) -> Sequence[Sequence[Any]]:
        self.asked.append((metric, begin))
        return [one for one in self.rows.get(metric, ()) if begin <= one[0] < begin + DAY][:most]


def test_a_day_is_asked_for_once_while_rollups_are_the_same() -> None:
    store = Store(load=[row(DAY, "a", 1), row(DAY + HOUR, "a", 2), row(2 * DAY, "a", 3)])
    days = RolledDays(store.read)
    assert days.sums(7, "load", DAY, []) == Sums(1, 1, 1, 1, 1, 1)
    assert days.sums(7, "load", DAY + HOUR, []) == Sums(1, 2, 2, 2, 4, 2)
    assert store.asked == [("load", DAY)]
    assert days.sums(7, "load", 2 * DAY, []) == Sums(1, 3, 3, 3, 9, 3)
    store.rows = {"load": [row(DAY, "a", 5)]}
    assert days.sums(8, "load", DAY, []) == Sums(1, 5, 5, 5, 25, 5)
    assert store.asked == [("load", DAY), ("load", 2 * DAY), ("load", DAY)]


def test_series_and_days_of_ingestion_are_added() -> None:
    rows = [row(0, "a", 4, last_time=30), row(0, "a", 2, last_time=20), row(0, "b", 8, last_time=10)]
    days = RolledDays(Store(load=rows).read)
    assert days.sums(1, "load", 0, []) == Sums(3, 14, 2, 8, 84, 4)
    assert days.sums(1, "load", 0, [("host", "a"), ("region", "eu")]) == Sums(2, 6, 2, 4, 20, 4)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("load", [("host", "c")]),
        ("load", [("rack", "a")]),
        ("load", [("host", "a"), ("host", "b")]),
        ("other", []),
    ],
)
def test_an_hour_without_points_has_none(metric: str, labels: list[tuple[str, str]]) -> None:
    found = RolledDays(Store(load=[row(0, "a", 4)]).read).sums(1, metric, 0, labels)
    assert found is not None
    assert found.count == 0


def test_a_metric_of_many_series_is_left_to_a_statement_and_not_read_again() -> None:
    store = Store(load=[row(0, str(number), 1) for number in range(MOST_ROWS_A_DAY + 1)])
    days = RolledDays(store.read)
    assert days.sums(1, "load", 0, []) is None
    assert days.sums(1, "load", HOUR, []) is None
    assert len(store.asked) == 1


def test_the_longest_unused_is_forgotten() -> None:
    store = Store(**{f"m{number}": [row(0, "a", 1)] * MOST_ROWS_A_DAY for number in range(30)})
    days = RolledDays(store.read)
    fitting = MOST // (MOST_ROWS_A_DAY + 3)  # a row each, two labels, itself
    for number in range(fitting):
        days.sums(1, f"m{number}", 0, [])
    days.sums(1, "m0", 0, [])
    days.sums(1, f"m{fitting}", 0, [])
    store.asked.clear()
    days.sums(1, "m0", 0, [])
    assert store.asked == []
    days.sums(1, "m1", 0, [])
    assert store.asked == [("m1", 0)]
