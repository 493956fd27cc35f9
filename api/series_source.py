"""Which rows answer a query of `/api/v1/series`: the coarsest that slots are made of, while these are kept. Pure."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timezone
from typing import Any, Final, NamedTuple

from analysis.statistics import quantile_level
from api.points_query import may_be_gone
from api.problems import invalid
from api.series_query import STEPS, SeriesQuery
from api.slots import DAY, LAST_SECOND, MONTHS
from contracts.series import USER_TAG_METRICS
from contracts.settings import ClickHouse

_MINUTE: Final = 60
_HOUR: Final = 3600
_MONDAY: Final = 345_600  # the first one of the epoch, in seconds
_PERIODS: Final = {"week": (604_800, _MONDAY), "day": (DAY, 0), "hour": (_HOUR, 0)}  # length, where one begins
_TAG_LABELS: Final = ("origin", "brand", "category")  # that aggregates of the user tags know

# On which day the oldest came in of what is asked between these bounds; None when nothing did.
Oldest = Callable[[Sequence[int]], date | None]


class Source(NamedTuple):
    """A statement of `sql/queries`, the parameters that it wants besides times and labels, what it reads, and for how
    many days after they came in its rows are kept."""

    statement: str
    parameters: dict[str, Any]
    words: str
    days: int


def choose(query: SeriesQuery, kept: ClickHouse, today: date, oldest: Oldest) -> tuple[SeriesQuery, list[Source]]:
    """The query with the step that is answered, and a source for the asked time and each compared one.

    A step that is left to us gets longer, or else shorter, until what it is made of is kept. Problem 400 names `step`
    when what an explicit one is made of may be dropped, and says which can be answered.
    """
    if query.metric in USER_TAG_METRICS:
        return query, [_user_tags(query, kept)] * (len(query.compare) + 1)

    def sources(step: int) -> list[Source] | None:
        if query.compare and step == MONTHS != query.step and any(not name.endswith("mo") for name in query.compare):
            return None
        found = [_source(query, bounds, kept, today, oldest) for _, bounds in query._replace(step=step).compared()]
        return [one for one in found if one] if all(found) else None

    first = sources(query.step)
    if first:
        return query, first
    near = query if query.auto else query._replace(step=_nearest(query.step))
    for step in near.steps():
        found = sources(step)
        if found and query.auto:
            return query._replace(step=step), found
        if found:
            raise invalid(
                "step", f"what this one is made of is no longer kept of that time: ask for {STEPS[step]} or auto"
            )
    raise invalid("step", "of that time nothing is kept that answers this statistic in this time zone")


def _nearest(step: int) -> int:
    """Of the usual steps the first that is no shorter."""
    return next((one for one in STEPS if one >= step and step != MONTHS), MONTHS)


def _source(query: SeriesQuery, bounds: Sequence[int], kept: ClickHouse, today: date, oldest: Oldest) -> Source | None:
    """The best one whose rows are there; None when some may be dropped."""
    for source in _candidates(query.stat, bounds, kept):
        if not may_be_gone(bounds[0], source.days, today, lambda: oldest(bounds)):
            return source
    return None


def _candidates(stat: str, bounds: Sequence[int], kept: ClickHouse) -> list[Source]:
    period = _period(bounds)
    level = quantile_level(stat)
    if level is not None:
        exact = Source("series_quantiles", {"level": level}, "points, exactly", kept.points_days)
        about = Source("series_sketches", {"level": level}, "sketches of hours, about", kept.hour_rollups_days)
        return [exact] if period is None else [exact, about]
    if period is not None:
        days = getattr(kept, f"{period}_rollups_days")
        return [Source("series_rollups", {"period": period}, f"rollups of {period}s", days)]
    if any(at % _MINUTE for at in _of_rows(bounds)):
        return [Source("series_points", {}, "points", kept.points_days)]
    return [Source("series_bins", {}, "bins of a minute", kept.bins_days)]


def _period(bounds: Sequence[int]) -> str | None:
    """The longest rollups of which the slots are whole numbers; None when there are none."""
    bounds = _of_rows(bounds)
    if all(at % DAY == 0 for at in bounds) and all(datetime.fromtimestamp(at, timezone.utc).day == 1 for at in bounds):
        return "month"
    for name, (length, first) in _PERIODS.items():
        if all((at - first) % length == 0 for at in bounds):
            return name
    return None


def _of_rows(bounds: Sequence[int]) -> list[int]:
    """Those between which rows may lie on both sides: nothing is before the first second of the store, or after the
    last one, to which bounds are cut."""
    return [at for at in bounds if 0 < at < LAST_SECOND]


def _user_tags(query: SeriesQuery, kept: ClickHouse) -> Source:
    if query.stat not in ("", "sum", "count"):
        raise invalid("stat", "of user tags there are sum and count")
    if query.step % _MINUTE:
        raise invalid("step", "of user tags must be whole minutes")
    if any(at % _MINUTE for _, bounds in query.compared() for at in _of_rows(bounds)):
        raise invalid("compare", "of user tags must be whole minutes")
    for label in (*query.group_by, *query.labels["keys"]):
        if label not in _TAG_LABELS:
            raise invalid("match", f"user tags are counted by {', '.join(_TAG_LABELS)}: {label[:40]!r}")
    action = "VIEW" if query.metric == "user_tags_views" else "BUY"
    return Source("series_user_tags", {"action": action}, "aggregates of a minute", kept.aggregates_days)
