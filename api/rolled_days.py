"""What rollups say of a metric's hours, a day at a time, remembered until rollups are made again.

Who asks for one hour of one host mostly asks for the next ones, and what a statement costs ClickHouse is planning it,
which is the same for an hour as for a day.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from analysis.statistics import Sums

DAY: Final = 86_400  # seconds
MOST_ROWS_A_DAY: Final = 5000  # a metric with more, some 200 series, is asked hour by hour
MOST: Final = 100_000  # rows, and labels of the series, that are remembered; some 40 MB


class _Part(NamedTuple):
    """What one day of ingestion adds to an hour of a series."""

    labels: Mapping[str, str]
    sums: Sums
    last_time: int


class _Day(NamedTuple):
    """`hours` is None when there are too many rows; `made` tells which rollups they are."""

    made: int
    size: int
    hours: Mapping[int, Sequence[_Part]] | None


class RolledDays:
    """For all threads of a process. `read(metric, begin, most)`: the rows of `sql/queries/rolled_day.sql`."""

    def __init__(self, read: Callable[[str, int, int], Sequence[Sequence[Any]]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._days: OrderedDict[tuple[str, int], _Day] = OrderedDict()  # the longest unused first
        self._size = 0

    def sums(self, made: int, metric: str, hour: int, labels: Sequence[tuple[str, str]]) -> Sums | None:
        """Of the metric's series with all of these labels in `hour` (epoch seconds); None when they are too many.

        `made`: which rollups they are; those of before are asked for again. Raises what `read` raises.
        """
        key = (metric, hour // DAY * DAY)
        with self._lock:
            day = self._days.get(key)
            if day is not None:
                self._days.move_to_end(key)
        if day is None or day.made != made:
            day = self._load(made, key)
        if day.hours is None:
            return None
        return _add(
            [one for one in day.hours.get(hour, ()) if all(one.labels.get(key) == value for key, value in labels)]
        )

    def _load(self, made: int, key: tuple[str, int]) -> _Day:
        rows = self._read(*key, MOST_ROWS_A_DAY + 1)
        day = _Day(made, 1, None) if len(rows) > MOST_ROWS_A_DAY else _day(made, rows)
        with self._lock:
            self._forget(key)
            self._days[key] = day
            self._size += day.size
            while self._size > MOST:
                self._forget(next(iter(self._days)))
        return day

    def _forget(self, key: tuple[str, int]) -> None:
        if key in self._days:
            self._size -= self._days.pop(key).size


def _day(made: int, rows: Sequence[Sequence[Any]]) -> _Day:
    hours: dict[int, list[_Part]] = {}
    known: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}  # each spelled once, not with each row
    for hour, labels, *sums, last_time in rows:
        own = known.setdefault(frozenset(labels.items()), labels)
        hours.setdefault(hour, []).append(_Part(own, Sums(*sums), last_time))
    return _Day(made, 1 + len(rows) + sum(map(len, known.values())), hours)


def _add(parts: Sequence[_Part]) -> Sums:
    if not parts:
        return Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return Sums(
        sum(one.sums.count for one in parts),
        sum(one.sums.sum for one in parts),
        min(one.sums.min for one in parts),
        max(one.sums.max for one in parts),
        sum(one.sums.sum_squares for one in parts),
        max(parts, key=lambda one: one.last_time).sums.last,
    )
