"""The oracle of points: periods and statistics by hand."""

from datetime import datetime, timezone

import pytest

from testbed.point_oracle import OF_HOURS, Place, PointOracle, begin_of


def at(text: str) -> int:
    """Epoch milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)


@pytest.mark.parametrize(
    ("period", "begin"),
    [
        ("hour", "2011-03-06T23:00:00"),
        ("day", "2011-03-06T00:00:00"),
        ("week", "2011-02-28T00:00:00"),
        ("month", "2011-03-01T00:00:00"),
    ],
)
def test_where_a_sunday_belongs(period: str, begin: str) -> None:
    assert begin_of(period, at("2011-03-06T23:59:59.999")) == at(begin)


def test_values_come_in_the_order_of_their_times() -> None:
    oracle = PointOracle()
    hour = at("2011-03-06T23:00:00")
    oracle.add("a", [(hour + 3, 2.0), (hour + 1, 5.0)])
    oracle.add("a", [(hour + 2, 2.0), (hour - 1, 9.0)])
    values = oracle.values("hour")[Place("a", hour)]
    assert values.tolist() == [5.0, 2.0, 2.0]
    wanted = {"count": 3, "sum": 9, "last": 2, "mode": 2, "median": 2, "max": 5, "average": 3, "variance": 2}
    assert {name: OF_HOURS[name](values) for name in wanted} == wanted
