"""Which rows answer a query of `/api/v1/series`: the coarsest that its slots are made of. Pure."""

from typing import Any, Final, NamedTuple

from analysis.statistics import quantile_level
from api.problems import invalid
from api.series_query import DAY, HOUR, MONDAY, MONTHS, WEEK, SeriesQuery
from contracts.series import USER_TAG_METRICS

_MINUTE: Final = 60
_PERIODS: Final = (("week", WEEK), ("day", DAY), ("hour", HOUR))
_TAG_LABELS: Final = ("origin", "brand", "category")  # that aggregates of the user tags know


class Source(NamedTuple):
    """A statement of `sql/queries`, the parameters that it wants besides times and labels, and what it reads."""

    statement: str
    parameters: dict[str, Any]
    words: str


def source_of(query: SeriesQuery, begin: int, *, gone: bool) -> Source:
    """For slots from `begin` on, epoch seconds; `gone`: some points of then may be. Problem 400 for user tags."""
    if query.metric in USER_TAG_METRICS:
        return _user_tags(query)
    period = _period(query.step, begin)
    level = quantile_level(query.stat)
    if level is not None:
        if period is None or not gone:
            return Source("series_quantiles", {"level": level}, "points, exactly")
        return Source("series_sketches", {"level": level}, "sketches of hours, about")
    if period is not None:
        return Source("series_rollups", {"period": period}, f"rollups of {period}s")
    if query.step % _MINUTE or begin % _MINUTE:
        return Source("series_points", {}, "points")
    return Source("series_bins", {}, "bins of a minute")


def _period(step: int, begin: int) -> str | None:
    """The longest rollups of which slots of `step` seconds are whole numbers; None when there are none."""
    if step == MONTHS:
        return "month"
    for name, length in _PERIODS:
        first = MONDAY if length == WEEK else 0
        if step % length == 0 and (begin - first) % length == 0:
            return name
    return None


def _user_tags(query: SeriesQuery) -> Source:
    if query.stat not in ("", "sum", "count"):
        raise invalid("stat", "of user tags there are sum and count")
    if query.step == MONTHS or query.step % _MINUTE:
        raise invalid("step", "of user tags must be whole minutes")
    for label in (*query.group_by, *query.labels["keys"]):
        if label not in _TAG_LABELS:
            raise invalid("match", f"user tags are counted by {', '.join(_TAG_LABELS)}: {label[:40]!r}")
    action = "VIEW" if query.metric == "user_tags_views" else "BUY"
    return Source("series_user_tags", {"action": action}, "aggregates of a minute")
