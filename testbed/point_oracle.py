"""The oracle of points: what every statistic and every rollup must be, by numpy over all that was accepted.

It shares no code with the jobs and the API. Lines are told apart by one label: its value is all it knows of them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]  # in the order of their times

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_QUANTILES: Final = {f"p{level:g}": level for level in (0.1, 1, 50, 75, 90, 95, 99, 99.9)} | {"median": 50.0}


def _mode(values: Values) -> float:
    """Of equally many the smallest, as numpy sorts them."""
    found, counts = np.unique(values, return_counts=True)
    return float(found[np.argmax(counts)])


def _quantile(level: float) -> Callable[[Values], float]:
    return lambda values: float(np.percentile(values, level))


SUMMED: Final[Mapping[str, Callable[[Values], Any]]] = {
    "count": len,
    "sum": np.sum,
    "average": np.mean,
    "min": np.min,
    "max": np.max,
    "variance": np.var,
    "stddev": np.std,
    "last": lambda values: values[-1],
}
# What a range of time can be asked for; an hour can be asked for the mode, too.
OF_RANGES: Final = {**SUMMED, **{name: _quantile(level) for name, level in _QUANTILES.items()}}
OF_HOURS: Final = {**OF_RANGES, "mode": _mode}


def _week(at: datetime) -> datetime:
    return _day(at) - timedelta(days=at.weekday())


def _day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


PERIODS: Final[Mapping[str, Callable[[datetime], datetime]]] = {
    "hour": lambda at: at.replace(minute=0, second=0, microsecond=0),
    "day": _day,
    "week": _week,
    "month": lambda at: _day(at).replace(day=1),
}


class Place(NamedTuple):
    """A period of a line: it begins at `start`, epoch milliseconds."""

    line: str
    start: int


class PointOracle:
    """All accepted points of one metric, by line. Times in epoch milliseconds, each once in a line."""

    def __init__(self) -> None:
        self._points: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    def add(self, line: str, points: Iterable[tuple[int, float]]) -> None:
        """Points that were accepted; those that were accepted again, and count again, are added again."""
        self._points[line] += points

    def values(self, period: str) -> dict[Place, Values]:
        """The values in each period of PERIODS in which a line has any."""
        found: defaultdict[Place, list[float]] = defaultdict(list)
        for line, points in self._points.items():
            for time, value in sorted(points, key=lambda point: point[0]):
                found[Place(line, begin_of(period, time))].append(value)
        return {place: np.array(values) for place, values in found.items()}


def begin_of(period: str, time: int) -> int:
    """When the period of PERIODS that holds `time` begins, in UTC; both in epoch milliseconds."""
    begin = PERIODS[period](_EPOCH + timedelta(milliseconds=time))
    return round((begin - _EPOCH).total_seconds()) * 1000
