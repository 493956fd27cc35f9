"""What `/api/v1/series` is asked: metric, labels, time and statistic. Pure: time is passed in."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
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
HOUR: Final = 3600
DAY: Final = 86_400
WEEK: Final = 604_800
MONDAY: Final = 345_600  # the first one of the epoch, on which weeks begin
MONTHS: Final = 0  # as a step: months of the calendar
_AUTO_SLOTS: Final = 500  # at most, where the step is left to us
_MOST_SLOTS: Final = 11_000


class SeriesQuery(NamedTuple):
    """Times in epoch seconds, whole steps apart; `compare` as (name, begin, end)."""

    metric: str
    labels: dict[str, list[str]]  # `keys` and `values` that must match
    begin: int
    end: int
    step: int
    stat: str  # empty: what suits the metric's kind
    group_by: Sequence[str]
    compare: Sequence[tuple[str, int, int]]
    format: str

    def starts(self) -> Sequence[int]:
        """When each slot begins."""
        if self.step != MONTHS:
            return range(self.begin, self.end, self.step)
        first, last = (_month(at) for at in (self.begin, self.end))
        return [_begin_of(month) for month in range(first, last)]


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
    names = [name for name in (one(given, "compare") or "").split(",") if name]
    compare = [(name, *_back(name, begin, end, step)) for name in names]
    labels = [label for text in given.get("group_by", ()) for label in text.split(",") if label]
    return SeriesQuery(metric, matches(given.get("match", ())), begin, end, step, stat, labels, compare, shape)


_RANGE: Final = (("from", "now-1h"), ("to", "now"))


def _step(text: str, length: int) -> int:
    """Seconds, or MONTHS."""
    if text == "1mo":
        return MONTHS
    if text == "auto":
        return next((step for step in STEPS if length / step <= _AUTO_SLOTS), STEPS[-1])
    step = span("step", text)
    if length / step > _MOST_SLOTS:
        raise invalid("step", f"makes more than {_MOST_SLOTS} values: choose a longer one")
    return step


def _aligned(begin: int, end: int, step: int, local: tzinfo) -> tuple[int, int]:
    """Outwards to whole steps. Days and longer ones begin at midnight of the zone as it is at the beginning, weeks on
    Monday; months are those of UTC."""
    if step == MONTHS:
        return _begin_of(_month(begin)), _begin_of(_month(end - 1) + 1)
    offset = datetime.fromtimestamp(begin, local).utcoffset() or timedelta()
    shift = int(offset.total_seconds()) if step % DAY == 0 else 0
    shift -= MONDAY if step % WEEK == 0 else 0
    first = (begin + shift) // step * step - shift
    last = -((-end - shift) // step) * step - shift
    return max(first, 0), min(last, 2**32 - 1)


def _back(text: str, begin: int, end: int, step: int) -> tuple[int, int]:
    """The time so long ago; a month back is the same day of the month before, or its last one."""
    if not text.endswith("mo"):
        if step == MONTHS:
            raise invalid("compare", f"months can be compared with months, such as 1mo or 12mo: {text[:40]!r}")
        back = span("compare", text)
        return max(begin - back, 0), max(end - back, 0)
    months = text.removesuffix("mo")
    if not (months.isascii() and months.isdigit() and 0 < int(months) <= 120):
        raise invalid("compare", f"must be such as 1d, 1w or 1mo: {text[:40]!r}")
    if step == MONTHS:
        return _begin_of(_month(begin) - int(months)), _begin_of(_month(end) - int(months))
    before = _same_day(EPOCH + timedelta(seconds=begin), _month(begin) - int(months))
    return max(before, 0), max(end - (begin - before), 0)


def _same_day(at: datetime, month: int) -> int:
    for day in range(at.day, 0, -1):
        try:
            return int(at.replace(year=month // 12, month=month % 12 + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError("every month has a first day")


def _month(second: int) -> int:
    """Months since the year 0, in UTC."""
    at = EPOCH + timedelta(seconds=second)
    return at.year * 12 + at.month - 1


def _begin_of(month: int) -> int:
    """Epoch seconds, from 1970 to 2106 as the store's times."""
    begin = int(datetime(month // 12, month % 12 + 1, 1, tzinfo=timezone.utc).timestamp())
    return min(max(begin, 0), 2**32 - 1)
