"""`GET /api/v1/series`: a metric over time, compared with other times, in the format that the caller draws."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from flask import Blueprint, Response, request

from analysis import time_series
from analysis.statistics import Sums, of_sums
from analysis.time_series import Chart, Line
from api.points_query import ask, day_of, kinds_of, oldest_day
from api.series_query import SeriesQuery, parse
from api.series_source import Oldest, choose
from api.services import Services, wall_clock
from api.slots import MONTHS
from contracts.series import USER_TAG_METRICS

_TYPES: Final = {
    "json": "application/json",
    "dygraphs": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("series", __name__)

    @routes.get("/api/v1/series")
    def series() -> Response:
        now = wall_clock()
        query = parse(request.query_string, now)
        query = query if query.stat else query._replace(stat=_usual_stat(services, query.metric))
        today = day_of(now)
        query, sources = choose(query, services.settings.clickhouse, today, _oldest(services, query, now))
        lines: list[Line] = []
        for (name, bounds), source in zip(query.compared(), sources, strict=True):
            asked = {**_asked(query, bounds), "starts": _array(bounds[:-1]), "group_by": list(query.group_by)}
            rows = ask(services, source.statement, {**asked, **source.parameters})
            lines += _lines(query, name, rows, bounds[:-1])
        if query.metric not in USER_TAG_METRICS and not any(map(_has_values, lines)):
            kinds_of(services, query.metric)  # asked last, as a statement takes milliseconds: 404 for an unknown one
        chart = Chart([start * 1000 for start in query.bounds()[:-1]], lines)
        return Response(_body(query, sources[0].words, chart), mimetype=_TYPES[query.format])

    return routes


def _usual_stat(services: Services, metric: str) -> str:
    """The statistic that suits the metric; Problem 404 when there is no such metric."""
    return "sum" if metric in USER_TAG_METRICS or kinds_of(services, metric) == ["counter"] else "average"


def _asked(query: SeriesQuery, bounds: Sequence[int]) -> dict[str, Any]:
    return {"metric": query.metric, **query.labels, "begin": bounds[0], "end": bounds[-1]}


def _array(starts: Sequence[int]) -> str:
    """As ClickHouse writes it, and without blanks: with them the most slots would be longer than the 128 KiB that it
    takes of a parameter."""
    return f"[{','.join(map(str, starts))}]"


def _oldest(services: Services, query: SeriesQuery, now: int) -> Oldest:
    """Asked once for each stretch of time: a step that gets longer means much the same one."""
    found: dict[tuple[int, int], date | None] = {}

    def oldest(bounds: Sequence[int]) -> date | None:
        key = (bounds[0], bounds[-1])
        if key not in found:
            found[key] = oldest_day(services, _asked(query, bounds), now)
        return found[key]

    return oldest


def _lines(query: SeriesQuery, compared: str, rows: Any, starts: Sequence[int]) -> list[Line]:
    """A line for each combination of the labels that the query groups by."""
    slots = {start: number for number, start in enumerate(starts)}
    found: dict[tuple[str, ...], Line] = {}
    for values, start, count, *rest in rows:
        key = tuple(values)
        if key not in found:
            found[key] = Line(dict(zip(query.group_by, key, strict=True)), compared, [None] * len(starts))
        found[key].values[slots[start]] = _value(query, count, rest)
    if not found and not query.group_by:
        return [Line({}, compared, [None] * len(starts))]
    return list(found.values())


def _has_values(line: Line) -> bool:
    return any(value is not None for value in line.values)


def _value(query: SeriesQuery, count: int, rest: Any) -> float | None:
    if query.metric in USER_TAG_METRICS:
        return float(rest[0]) if query.metric == "user_tags_revenue" and query.stat == "sum" else count
    if len(rest) == 1:
        return float(rest[0])
    return of_sums(query.stat, Sums(count, *rest))


def _body(query: SeriesQuery, source: str, chart: Chart) -> bytes:
    if query.format == "json":
        bounds = query.bounds()
        step = "1mo" if query.step == MONTHS else query.step
        head = {"metric": query.metric, "stat": query.stat, "step": step, "source": source}
        return time_series.as_json(chart, {**head, "from": bounds[0] * 1000, "to": bounds[-1] * 1000})
    if query.format == "csv":
        return time_series.as_csv(chart)
    return time_series.as_arrow(chart) if query.format == "arrow" else time_series.as_dygraphs(chart)
