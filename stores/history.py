"""What ClickHouse holds of the past of series, to begin new ones with.

First what was scored of them: a look-up by key, whatever else the table holds. What was never scored may be there all
the same, as where `detection` began after `data`. Points lie by series as well; of the user tags there are only counts
by group, so these are read for times of which nothing was scored, and no more rows of them than is good.
"""

import logging
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

import sql
from analysis.detection import Floats, Ints, Points
from analysis.watch.feed import LEAST_MS
from analysis.watch.history import NONE, as_known, together, with_quiet
from analysis.watch.lane import Lane
from analysis.watch.live import key_of, series_id
from contracts.points import KINDS, series_of
from contracts.series import USER_TAG_METRICS
from contracts.times import DAY_MS, MINUTE_MS

MOST_ROWS: Final = 5_000_000  # of counts, that one question reads: half of the time it has, on two cores
GAP_MS: Final = 3_600_000  # without scores of the total: nobody was watching
MINUTES: Final = Lane("user-tags", MINUTE_MS)
_COUNTED_LABELS: Final = frozenset({"", "origin", "brand", "category"})  # the counts have no other; empty: the total
_COLUMNS: Final = dict(zip(USER_TAG_METRICS, ("views", "buys", "revenue"), strict=True))
logger = logging.getLogger(__name__)

Past = tuple[Ints, Floats]  # begins of bins in epoch milliseconds, rising, and values


class New(NamedTuple):
    """A series, and the begin of the first bin that was seen of it (epoch milliseconds)."""

    metric: str
    labels: dict[str, str]
    first: int

    @property
    def id(self) -> int:
        return series_id(key_of(self.metric, self.labels))

    @property
    def label(self) -> tuple[str, str]:
        """The one label of a series of the user tags; both empty for the total's."""
        return next(iter(self.labels.items()), ("", ""))


def read(client: Client, lane: Lane, series: dict[int, New], days: int) -> Points:
    """Up to so many days of each before its first bin, by number. Errors are ClickHouse's."""
    return _Question(client, lane, series, days).answer()


def having(client: Client, lane: Lane, series: dict[int, New], days: int) -> list[int]:
    """The numbers of those of which `read` may find enough to teach anything: asked of hundreds at once, it costs a
    small part of that. Errors are ClickHouse's."""
    return _Question(client, lane, series, days).having()


class _Question:
    def __init__(self, client: Client, lane: Lane, series: dict[int, New], days: int) -> None:
        self._client, self._lane, self._series, self._days = client, lane, series, days
        self._firsts = {number: one.first for number, one in series.items()}

    def answer(self) -> Points:
        scored = self._scored(self._series.values())
        known = {number: scored[one.id] for number, one in self._series.items() if one.id in scored}
        # A few scores, perhaps those since its first bin alone, say nothing of what was before them.
        long = {number for number, (times, _) in known.items() if self._firsts[number] - int(times[0]) > LEAST_MS}
        rest = {number: one for number, one in self._series.items() if number not in long}
        others = self._of_tags(rest) if self._lane.stream == MINUTES.stream else self._of_points(rest)
        found = set(np.unique(others.series).tolist())
        best = {number: past for number, past in known.items() if number not in found}
        return together([as_known(best, self._firsts), others])

    def having(self) -> list[int]:
        scored = self._begins("scored", self._of_metrics(self._series.values()))
        long = {number for number, one in self._series.items() if one.first - scored.get(one.id, one.first) > LEAST_MS}
        rest = {number: one for number, one in self._series.items() if number not in long}
        more = self._unwatched(rest) if self._lane.stream == MINUTES.stream else self._long_points(rest)
        return sorted(long | set(more))

    def _long_points(self, rest: dict[int, New]) -> list[int]:
        ids = _ids(rest)
        begins = self._begins("points", {"series": list(ids)}) if ids else {}
        return [ids[one][0] for one, begin in begins.items() if self._firsts[ids[one][0]] - begin > LEAST_MS]

    def _begins(self, table: str, wanted: dict[str, Any]) -> dict[int, int]:
        """Of the first bins in the window, epoch milliseconds, by id."""
        found = wanted | {"resolution": self._lane.resolution // 1000} | self._window(self._days)
        rows = self._client.query_arrow(sql.read(f"queries/history_{table}_begins"), found)
        return dict(zip(rows["series"].to_pylist(), (rows["second"].to_numpy() * 1000).tolist(), strict=True))

    def _window(self, days: int) -> dict[str, int]:
        begin = max(min(self._firsts.values()) - days * DAY_MS, DAY_MS)
        return {"from": begin // 1000, "to": max(self._firsts.values()) // 1000}

    def _scored(self, series: Iterable[New]) -> dict[int, Past]:
        """By id."""
        wanted = self._of_metrics(series) | {"resolution": self._lane.resolution // 1000}
        rows = self._client.query_arrow(sql.read("queries/history_scored"), wanted | self._window(self._days))
        return _by_series(rows, "value")

    def _of_metrics(self, series: Iterable[New]) -> dict[str, Any]:
        ids = {one.id: one.metric for one in series}
        return {"series": list(ids), "metrics": sorted(set(ids.values()))}

    def _of_points(self, rest: dict[int, New]) -> Points:
        ids = _ids(rest)
        if not ids:
            return NONE
        wanted = {"series": list(ids), "resolution": self._lane.resolution // 1000}
        rows = self._client.query_arrow(sql.read("queries/history_points"), wanted | self._window(self._days))
        sums, means = (
            {ids[one]: past for one, past in _by_series(rows, column).items()} for column in ("total", "mean")
        )
        counters = {number: past for (number, kind), past in sums.items() if kind == "counter"}
        others = {
            number: past for (number, kind), past in means.items() if kind != "counter" and number not in counters
        }
        return together([with_quiet(counters, self._firsts, self._lane.resolution), as_known(others, self._firsts)])

    def _of_tags(self, rest: dict[int, New]) -> Points:
        unwatched = self._unwatched(rest)
        return with_quiet(self._counts(unwatched), self._firsts, MINUTE_MS) if unwatched else NONE

    def _unwatched(self, rest: dict[int, New]) -> dict[int, New]:
        """Those that may have had events while nobody watched."""
        counted = {number: one for number, one in rest.items() if self._lane == MINUTES and _is_counted(one)}
        totals = {metric: New(metric, {}, 0) for metric in {one.metric for one in counted.values()}}
        scored = self._scored(totals.values()) if counted else {}
        since = {metric: _since(scored[one.id]) for metric, one in totals.items() if one.id in scored}
        # Where totals were scored for so long, whatever had events then would have been as well.
        return {n: one for n, one in counted.items() if one.first - since.get(one.metric, one.first) <= LEAST_MS}

    def _counts(self, series: dict[int, New]) -> dict[int, Past]:
        """Of as many days as a question may read the rows of; a history that would teach nothing is not read."""
        wanted = {"wanted": sorted({one.label for one in series.values()})}
        for days in takewhile(lambda days: days * DAY_MS > LEAST_MS, (self._days >> times for times in range(10))):
            limit = {"max_rows_to_read": MOST_ROWS}
            try:
                rows = self._client.query_arrow(
                    sql.read("queries/history_user_tags"), wanted | self._window(days), settings=limit
                )
            except DatabaseError as error:
                if "TOO_MANY_ROWS" not in str(error):
                    raise
                logger.warning("no %d days of history: more than %d rows of counts", days, MOST_ROWS)
            else:
                return _by_label(rows, series)
        return {}


def _ids(series: dict[int, New]) -> dict[int, tuple[int, str]]:
    """Number and kind by id: a series' id tells its kind; a bin on the topic does not, so all are tried."""
    return {
        series_of(one.metric, kind, one.labels).id: (number, kind) for number, one in series.items() for kind in KINDS
    }


def _is_counted(one: New) -> bool:
    """Whether the aggregates know the past of the series."""
    return one.metric in _COLUMNS and len(one.labels) <= 1 and one.label[0] in _COUNTED_LABELS


def _since(past: Past) -> int:
    """When the last stretch without a gap begins."""
    times, _ = past
    gaps = np.flatnonzero(np.diff(times) > GAP_MS)
    return int(times[gaps[-1] + 1 if len(gaps) else 0])


def _by_series(rows: pa.Table, column: str) -> dict[int, Past]:
    """Of rows by series and begin."""
    ids, begins = np.unique(rows["series"].to_numpy(), return_index=True)
    times, values = rows["second"].to_numpy() * 1000, rows[column].to_numpy()
    parts: list[Any] = list(zip(np.split(times, begins[1:]), np.split(values, begins[1:]), strict=True))
    return dict(zip(ids.tolist(), parts, strict=False))


def _by_label(rows: pa.Table, series: dict[int, New]) -> dict[int, Past]:
    """Of rows by label, its value and begin."""
    labels = np.array(rows["label"].to_pylist(), object) + "=" + np.array(rows["label_value"].to_pylist(), object)
    times = rows["second"].to_numpy() * 1000
    places = {number: labels == "=".join(one.label) for number, one in series.items()}
    return {
        number: (times[mine], rows[_COLUMNS[series[number].metric]].to_numpy()[mine]) for number, mine in places.items()
    }
