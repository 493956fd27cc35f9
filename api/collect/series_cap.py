"""Which series are taken: so many a metric, as one label with a request's id in it would otherwise fill every store;
and none of the canary's metric, as whoever sent that would make a broken way of alerts look well.

Pure: time is passed in.
"""

from typing import Final

from contracts.names import CANARY_METRIC
from contracts.points import InvalidPoint, Series

_DAY_MS: Final = 86_400_000
_MOST: Final = 1_000_000  # series of all metrics: bounds the memory that knowing them takes


class SeriesCap:
    """Knows the series of the current day (UTC, by the clock) and refuses those beyond the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._day = -1
        self._known: set[int] = set()
        self._count: dict[str, int] = {}

    def admit(self, series: Series, now: int) -> None:
        """InvalidPoint when the series is the platform's, or a new one and its metric has enough; `now`: epoch ms."""
        if now // _DAY_MS != self._day:
            self._day = now // _DAY_MS
            self._known.clear()
            self._count.clear()
        if series.id in self._known:
            return
        if series.name == CANARY_METRIC:
            raise InvalidPoint("name", f"{CANARY_METRIC} is the platform's own; it cannot be sent")
        count = self._count.get(series.name, 0)
        if count >= self._limit:
            raise InvalidPoint("labels", f"{series.name} has {count} series today, which is as many as are allowed")
        if len(self._known) >= _MOST:
            raise InvalidPoint("name", f"there are {_MOST} series today, which is as many as are allowed")
        self._known.add(series.id)
        self._count[series.name] = count + 1
