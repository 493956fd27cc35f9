"""What `/api/v1/series` is asked: metric, labels, time and statistic. Pure: time is passed in."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final, NamedTuple

from analysis.statistics import SUMMED, quantile_level
from api import slots
from api.moments import moment, span, zone
from api.parameters import one, parse_query
from api.points_query import matches
from api.problems import invalid
from api.slots import MONTHS

KNOWN: Final = ("metric", "match", "from", "to", "step", "stat", "group_by", "compare", "format", "tz")
FORMATS: Final = ("json", "csv", "arrow", "dygraphs")
STEPS: Final = {  # that `auto` chooses from, and what they are called
    60: "1m", 300: "5m", 600: "10m", 1800: "30m", 3600: "1h", 21_600: "6h", 86_400: "1d", 604_800: "1w", MONTHS: "1mo",
}  # fmt: skip
_AUTO_SLOTS: Final = 500  # at most, where the step is left to us
_MOST_SLOTS: Final = 11_000
_MOST_COMPARED: Final = 10
_LONGEST_STEP: Final = 10 * 366 * 86_400  # seconds; calendars end, and nothing is kept for longer


class SeriesQuery(NamedTuple):
    """Times in epoch seconds. Where the step is left to us, `step` is the one that suits the length."""

    metric: str
    labels: dict[str, list[str]]  # `keys` and `values` that must match
    asked: tuple[int, int]
    step: int  # seconds, or MONTHS
    auto: bool
    local: tzinfo
    stat: str  # empty: what suits the metric's kind
    group_by: Sequence[str]
    compare: Sequence[str]
    format: str

    def bounds(self) -> list[int]:
        """When each slot begins, and when the last one ends."""
        return slots.bounds(*self.asked, self.step, self.local)

    def compared(self) -> list[tuple[str, list[int]]]:
        """The bounds by the name of the comparison, those that were asked for first and without a name."""
        own = self.bounds()
        return [("", own), *((name, slots.back(name, own, self.step, self.local)) for name in self.compare)]

    def steps(self) -> Iterator[int]:
        """What `auto` may choose: the step that suits, longer ones, then shorter ones."""
        suits = list(STEPS).index(self.step)
        yield from list(STEPS)[suits:]
        length = self.asked[1] - self.asked[0]
        yield from (step for step in reversed(list(STEPS)[:suits]) if length / step <= _MOST_SLOTS)


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
    text = one(given, "step") or "auto"
    step = _step(text, (end - begin) // 1000)
    stat = one(given, "stat") or ""
    if stat and stat not in SUMMED and quantile_level(stat) is None:
        raise invalid("stat", f"must be one of {', '.join((*SUMMED, 'median'))}, p50 or the like")
    shape = one(given, "format") or "json"
    if shape not in FORMATS:
        raise invalid("format", f"must be one of {', '.join(FORMATS)}")
    names = list(dict.fromkeys(name for name in (one(given, "compare") or "").split(",") if name))
    if len(names) > _MOST_COMPARED:
        raise invalid("compare", f"names {len(names)} times; at most {_MOST_COMPARED} can be laid over one")
    labels = [label for text in given.get("group_by", ()) for label in text.split(",") if label]
    asked = (begin // 1000, -(-end // 1000))
    made = SeriesQuery(
        metric, matches(given.get("match", ())), asked, step, text == "auto", local, stat, labels, names, shape
    )
    made.compared()  # whose Problem comes before any query
    return made


_RANGE: Final = (("from", "now-1h"), ("to", "now"))


def _step(text: str, length: int) -> int:
    """Seconds, or MONTHS."""
    if text == "1mo":
        return MONTHS
    if text == "auto":
        return next((step for step in STEPS if step and length / step <= _AUTO_SLOTS), 604_800)
    step = span("step", text)
    if length / step > _MOST_SLOTS:
        raise invalid("step", f"makes more than {_MOST_SLOTS} values: choose a longer one")
    if step > _LONGEST_STEP:
        raise invalid("step", f"may be {_LONGEST_STEP // 86_400}d at most: {text[:40]!r}")
    return step
