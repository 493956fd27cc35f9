"""`GET /<key>/<stat_type>/<date>/<hour>`: one statistic of a metric in one hour."""

from datetime import datetime, timezone
from typing import Any, Final

import msgspec
from flask import Blueprint, Response, request

from analysis.statistics import SUMMED, Sums, of_sums, quantile_level
from api.parameters import parse_query
from api.points_query import are_gone, ask, kinds_of, matches
from api.problems import invalid, unavailable
from api.services import Services, wall_clock
from api.warehouse import WarehouseUnavailable

_SYNONYMS: Final = {"avg": "average", "mean": "average"}
_HOUR: Final = 3600
_GONE: Final = "nothing: hours of then are no longer kept"


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("hours", __name__)

    @routes.get("/<path:key>/<stat_type>/<date>/<hour>")
    def hour_statistic(key: str, stat_type: str, date: str, hour: str) -> Response:
        """`match=label:value`, once or more, narrows it to some of the metric's series."""
        statistic = _statistic(stat_type)
        given = parse_query(request.query_string, ["match"], repeatable=["match"])
        begin = _begin(date, hour)
        asked = {"metric": key, **matches(given.get("match", ())), "begin": begin, "end": begin + _HOUR}
        value, count, source = _answer(services, statistic, asked)
        if not count:
            kinds_of(services, key)
        document = {"key": key, "stat_type": statistic, "date": date, "hour": int(hour), "value": value, "count": count}
        return Response(msgspec.json.encode({**document, "source": source}), mimetype="application/json")

    return routes


def _statistic(name: str) -> str:
    name = _SYNONYMS.get(name, name)
    if name not in (*SUMMED, "mode") and quantile_level(name) is None:
        raise invalid("stat_type", f"must be one of {', '.join((*SUMMED, 'median', 'mode'))}, p50 or the like")
    return name


def _begin(date: str, hour: str) -> int:
    """Epoch seconds of the hour, UTC; Problem 400 names what is wrong."""
    try:
        day = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        raise invalid("date", f"must be a day such as 2022-03-01: {date[:40]!r}") from None
    if not (hour.isascii() and hour.isdigit() and len(hour) < 3 and int(hour) < 24):
        raise invalid("hour", f"must be from 0 to 23: {hour[:40]!r}")
    begin = int(day.timestamp()) + int(hour) * _HOUR
    if not 0 <= begin < 2**32 - _HOUR:
        raise invalid("date", "must be from 1970 to 2105")
    return begin


def _answer(services: Services, statistic: str, asked: dict[str, Any]) -> tuple[float | None, int, str]:
    """The value, how many points are behind it, and what it was computed from."""
    if statistic in SUMMED:
        sums = _sums(services, asked)
        return of_sums(statistic, sums), sums.count, _kept(services, asked, sums.count, "rollups")
    level = quantile_level(statistic)
    if are_gone(services, asked, services.settings.clickhouse.points_days, wall_clock()):
        return _without_points(services, asked, level)
    statement, more = ("hour_mode", {}) if level is None else ("hour_quantile", {"level": level})
    ((count, value),) = ask(services, statement, {**asked, **more})
    return (float(value) if count else None), int(count), "points, exactly"


def _kept(services: Services, asked: dict[str, Any], count: int, source: str) -> str:
    """The source; or that it is gone, as an hour of which nothing is kept is not one without points; or that a part of
    it may be: rows go by the day on which points came in, and some may have come later than others."""
    days = services.settings.clickhouse.hour_rollups_days
    if not are_gone(services, asked, days, wall_clock()):
        return source
    return f"{source}, of what came in later: hours of then are no longer kept" if count else _GONE


def _sums(services: Services, asked: dict[str, Any]) -> Sums:
    """Mostly nothing came to the hour since it was rolled up; then what rollups say is the whole."""
    try:
        made = services.touched.rolled(asked["begin"])
        if made is not None:
            labels = list(zip(asked["keys"], asked["values"], strict=True))
            found = services.rolled_days.sums(made, asked["metric"], asked["begin"], labels)
            if found is not None:
                return found
    except WarehouseUnavailable as error:
        raise unavailable(str(error)) from None
    return Sums(*ask(services, "hour_sums" if made is None else "hour_rollups", asked)[0])


def _without_points(services: Services, asked: dict[str, Any], level: float | None) -> tuple[float | None, int, str]:
    """Of a quantile, or of the mode, which nothing but points could tell."""
    if level is None:
        return None, _sums(services, asked).count, "nothing: its points are gone"
    ((count, value),) = ask(services, "hour_sketch", {**asked, "level": level})
    return (float(value) if count else None), int(count), _kept(services, asked, count, "a sketch, about")
