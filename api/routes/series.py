"""`GET /api/v1/series`: a metric over time, compared with other times, in the format that the caller draws."""

from typing import Any, Final

from flask import Blueprint, Response, request

from analysis import time_series
from analysis.statistics import Sums, of_sums, quantile_level
from analysis.time_series import Chart, Line
from api.points_query import ask, kinds_of
from api.problems import invalid
from api.series_query import SeriesQuery, parse
from api.services import Services, wall_clock
from contracts.series import USER_TAG_METRICS

_MINUTE: Final = 60
_TYPES: Final = {
    "json": "application/json",
    "dygraphs": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}
_TAG_LABELS: Final = ("origin", "brand", "category")  # that aggregates of the user tags know


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("series", __name__)

    @routes.get("/api/v1/series")
    def series() -> Response:
        query = parse(request.query_string, wall_clock())
        if query.metric in USER_TAG_METRICS:
            query, statement, more = _of_user_tags(query)
        else:
            query, statement, more = _of_points(services, query)
        times = range(query.begin * 1000, query.end * 1000, query.step * 1000)
        lines: list[Line] = []
        for name, back in [("", 0), *query.compare]:
            asked = {**query.labels, **more, "step": query.step, "group_by": list(query.group_by)}
            asked |= {"begin": max(query.begin - back, 0), "end": max(query.end - back, 0)}
            lines += _lines(query, name, ask(services, statement, asked), len(times))
        return Response(_body(query, Chart(times, lines)), mimetype=_TYPES[query.format])

    return routes


def _of_points(services: Services, query: SeriesQuery) -> tuple[SeriesQuery, str, dict[str, Any]]:
    kinds = kinds_of(services, query.metric)
    stat = query.stat or ("sum" if kinds == ["counter"] else "average")
    level = quantile_level(stat)
    asked: dict[str, Any] = {"metric": query.metric}
    if level is not None:
        return query._replace(stat=stat), "series_quantiles", {**asked, "level": level}
    statement = "series_points" if query.step % _MINUTE or query.begin % _MINUTE else "series_bins"
    return query._replace(stat=stat), statement, asked


def _of_user_tags(query: SeriesQuery) -> tuple[SeriesQuery, str, dict[str, Any]]:
    if query.stat not in ("", "sum", "count"):
        raise invalid("stat", "of user tags there are sum and count")
    if query.step % _MINUTE:
        raise invalid("step", "of user tags must be whole minutes")
    for label in (*query.group_by, *query.labels["keys"]):
        if label not in _TAG_LABELS:
            raise invalid("match", f"user tags are counted by {', '.join(_TAG_LABELS)}: {label[:40]!r}")
    action = "VIEW" if query.metric == "user_tags_views" else "BUY"
    return query._replace(stat=query.stat or "sum"), "series_user_tags", {"action": action}


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


def _body(query: SeriesQuery, chart: Chart) -> bytes:
    if query.format == "json":
        head = {"metric": query.metric, "stat": query.stat, "step": query.step}
        return time_series.as_json(chart, {**head, "from": query.begin * 1000, "to": query.end * 1000})
    if query.format == "csv":
        return time_series.as_csv(chart)
    return time_series.as_arrow(chart) if query.format == "arrow" else time_series.as_dygraphs(chart)
