"""`GET /api/v1/series`: a metric over time, compared with other times, in the format that the caller draws."""

from typing import Any, Final

from flask import Blueprint, Response, request

from analysis import time_series
from analysis.statistics import Sums, of_sums, quantile_level
from analysis.time_series import Chart, Line
from api.points_query import are_gone, ask, kinds_of
from api.series_query import MONTHS, SeriesQuery, parse
from api.series_source import Source, source_of
from api.services import Services, wall_clock
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
        query = _with_stat(services, parse(request.query_string, now))
        starts = query.starts()
        lines: list[Line] = []
        words = []
        for name, begin, end in [("", query.begin, query.end), *query.compare]:
            source = _source(services, query, (begin, end), now)
            lines += _lines(query, name, ask(services, source.statement, source.parameters), len(starts))
            words.append(source.words)
        chart = Chart([start * 1000 for start in starts], lines)
        return Response(_body(query, words[0], chart), mimetype=_TYPES[query.format])

    return routes


def _with_stat(services: Services, query: SeriesQuery) -> SeriesQuery:
    """With the statistic that suits the metric when none is named; Problem 404 when there is no such metric."""
    if query.metric in USER_TAG_METRICS:
        return query if query.stat else query._replace(stat="sum")
    kinds = kinds_of(services, query.metric)
    return query if query.stat else query._replace(stat="sum" if kinds == ["counter"] else "average")


def _source(services: Services, query: SeriesQuery, times: tuple[int, int], now: int) -> Source:
    """Where to read these times, and with which parameters."""
    begin, end = times
    asked = {"metric": query.metric, **query.labels, "begin": begin, "end": end}
    gone = quantile_level(query.stat) is not None and are_gone(services, asked, now)
    source = source_of(query, begin, gone=gone)
    more = {"step": query.step, "group_by": list(query.group_by)}
    return source._replace(parameters={**asked, **more, **source.parameters})


def _lines(query: SeriesQuery, compared: str, rows: Any, slots: int) -> list[Line]:
    """A line for each combination of the labels that the query groups by."""
    found: dict[tuple[str, ...], Line] = {}
    for values, slot, count, *rest in rows:
        key = tuple(values)
        if key not in found:
            found[key] = Line(dict(zip(query.group_by, key, strict=True)), compared, [None] * slots)
        found[key].values[slot] = _value(query, count, rest)
    if not found and not query.group_by:
        return [Line({}, compared, [None] * slots)]
    return list(found.values())


def _value(query: SeriesQuery, count: int, rest: Any) -> float | None:
    if query.metric in USER_TAG_METRICS:
        return float(rest[0]) if query.metric == "user_tags_revenue" and query.stat == "sum" else count
    if len(rest) == 1:
        return float(rest[0])
    return of_sums(query.stat, Sums(count, *rest))


def _body(query: SeriesQuery, source: str, chart: Chart) -> bytes:
    if query.format == "json":
        step = "1mo" if query.step == MONTHS else query.step
        head = {"metric": query.metric, "stat": query.stat, "step": step, "source": source}
        return time_series.as_json(chart, {**head, "from": query.begin * 1000, "to": query.end * 1000})
    if query.format == "csv":
        return time_series.as_csv(chart)
    return time_series.as_arrow(chart) if query.format == "arrow" else time_series.as_dygraphs(chart)
