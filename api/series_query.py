"""What `/api/v1/series` is asked: metric, labels, time and statistic. Pure: time is passed in."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from analysis.statistics import SUMMED, quantile_level
from api.moments import moment, span, zone
from api.parameters import one, parse_query
from api.points_query import matches
from api.problems import invalid
from contracts.times import EPOCH

KNOWN: Final = ("metric", "match", "from", "to", "step", "stat", "group_by", "compare", "format", "tz")
FORMATS: Final = ("json", "csv", "arrow", "dygraphs")
STEPS: Final = (60, 300, 600, 1800, 3600, 21_600, 86_400, 604_800)  # seconds, that `auto` chooses from
_AUTO_SLOTS: Final = 500  # at most, where the step is left to us
_MOST_SLOTS: Final = 11_000
_DAY: Final = 86_400


class SeriesQuery(NamedTuple):
    """Times in epoch seconds, whole steps apart; `compare` as (name, seconds back)."""

    metric: str
    labels: dict[str, list[str]]  # `keys` and `values` that must match
    begin: int
    end: int
    step: int
    stat: str  # empty: what suits the metric's kind
    group_by: Sequence[str]
    compare: Sequence[tuple[str, int]]
    format: str


def parse(query_string: bytes, now: int) -> SeriesQuery:
    """The query of a URL's parameters at the clock `now` (epoch milliseconds); Problem 400 names the wrong one."""
    given = parse_query(query_string, KNOWN, repeatable=["match", "group_by"])
    metric = one(given, "metric")
    if not metric:
        raise invalid("metric", "is required; /api/v1/metrics lists them")
    local = zone(one(given, "tz"))
    begin, end = (moment(name, one(given, name) or default, now, local) for name, default in _RANGE)
    if begin >= end:
        raise invalid("to", "must be later than from")
    step = _step(one(given, "step") or "auto", (end - begin) // 1000)
    begin, end = _aligned(begin // 1000, -(-end // 1000), step, local)
    stat = one(given, "stat") or ""
    if stat and stat not in SUMMED and quantile_level(stat) is None:
        raise invalid("stat", f"must be one of {', '.join((*SUMMED, 'median'))}, p50 or the like")
    shape = one(given, "format") or "json"
    if shape not in FORMATS:
        raise invalid("format", f"must be one of {', '.join(FORMATS)}")
    compare = [(name, _back(name, begin)) for name in (one(given, "compare") or "").split(",") if name]
    labels = [label for text in given.get("group_by", ()) for label in text.split(",") if label]
    return SeriesQuery(metric, matches(given.get("match", ())), begin, end, step, stat, labels, compare, shape)


_RANGE: Final = (("from", "now-1h"), ("to", "now"))


def _step(text: str, length: int) -> int:
    """Seconds."""
    if text == "auto":
        return next((step for step in STEPS if length / step <= _AUTO_SLOTS), STEPS[-1])
    step = span("step", text)
    if length / step > _MOST_SLOTS:
        raise invalid("step", f"makes more than {_MOST_SLOTS} values: choose a longer one")
    return step


def _aligned(begin: int, end: int, step: int, local: tzinfo) -> tuple[int, int]:
    """Outwards to whole steps; days and longer ones begin at midnight of the zone as it is at the beginning."""
    offset = datetime.fromtimestamp(begin, local).utcoffset() or timedelta()
    shift = int(offset.total_seconds()) if step % _DAY == 0 else 0
    first = (begin + shift) // step * step - shift
    last = -((-end - shift) // step) * step - shift
    return max(first, 0), min(last, 2**32 - 1)


def _back(text: str, begin: int) -> int:
    """Seconds; a month back is the same day of the month before, or its last one."""
    if not text.endswith("mo"):
        return span("compare", text)
    months = text.removesuffix("mo")
    if not (months.isascii() and months.isdigit() and 0 < int(months) <= 120):
        raise invalid("compare", f"must be such as 1d, 1w or 1mo: {text[:40]!r}")
    at = EPOCH + timedelta(seconds=begin)
    month = at.year * 12 + at.month - 1 - int(months)
    return begin - _same_day(at, month)


def _same_day(at: datetime, month: int) -> int:
    for day in range(at.day, 0, -1):
        try:
            return int(at.replace(year=month // 12, month=month % 12 + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError("every month has a first day")
