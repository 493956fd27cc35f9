"""One track judged bin by bin, as far as its lane is closed."""

from collections.abc import Callable, Iterator, Sequence
from math import inf, isnan, nan
from typing import Final, NamedTuple

from analysis.rules import kind, messages, phases
from analysis.rules.kind import Cell, Kind, Verdict
from analysis.rules.state import Part, Track
from contracts.alerts import Alert
from contracts.rules import Absent, Common, OverSeries, milliseconds
from contracts.times import format_seconds


class Span(NamedTuple):
    """What of a lane was closed just now, in whole bins of a rule; `started`: the lane's first bin."""

    started: int
    begin: int
    end: int


class Change(NamedTuple):
    """An alert that began or was resolved when the bin at `start` was judged."""

    start: int
    alert: Alert


class Plan(NamedTuple):
    """A rule with what follows from it."""

    rule: Common
    kind: Kind[Common]
    step: int  # milliseconds of a bin
    horizon: int
    settled: int  # after so many quiet bins in a row another one changes nothing
    empty: float  # what a number is in a bin without data
    combine: Callable[[Sequence[float]], float]

    def span(self, started: int, begin: int, end: int) -> Span:
        """In whole bins."""
        return Span(started // self.step * self.step, begin // self.step * self.step, end // self.step * self.step)

    def oldest(self, judged: int) -> int:
        """The first bin that is looked at when the one at `judged` is."""
        return judged - (self.horizon - 1) * self.step


def plan(rule: Common) -> Plan:
    """What follows from a rule."""
    its = kind.find(rule.kind)
    horizon = its.horizon(rule)
    settled = horizon + phases.bins_to_fire(rule) + phases.bins_to_resolve(rule)
    combine = COMBINE[rule.combine if isinstance(rule, OverSeries) else "sum"]
    return Plan(rule, its, rule.bin_ms, horizon, settled, 0.0 if its.zero(rule) else nan, combine)


def advance(plan: Plan, track: Track, span: Span) -> Iterator[Change]:
    """Judges the bins of `span`, each once, and forgets what is not looked at again."""
    start, quiet, forgotten = max(span.begin, track.first), 0, forget_at(plan, track)
    while start < min(span.end, forgotten):
        quiet = 0 if start in track.window else quiet + 1
        if quiet > plan.settled:
            ahead = (at for at in track.window if at > start)
            start = min(ahead, default=span.end)
            continue
        if isnan(plan.empty) and start in track.window and not _has_data(track, plan.oldest(start), start):
            track.first = start  # after a gap as long as all that is looked at it begins anew
        yield from _judge(plan, track, start, _cells(plan, track, start, span.started))
        start += plan.step
    if forgotten < span.end and track.alert is not None:
        reason = f"no data since {format_seconds(track.seen)}Z, forgotten"
        yield Change(int(forgotten), messages.dropped(track.alert, int(forgotten), reason))
        track.alert = None
    oldest = plan.oldest(span.end)
    for at in [at for at in track.window if at < oldest]:
        del track.window[at]


def is_idle(plan: Plan, track: Track, end: int) -> bool:
    """Whether nothing would be lost with the track, now that it is judged up to `end`."""
    if forget_at(plan, track) < end:
        return True
    return not (track.alert or track.bad or track.window or plan.kind.keeps(plan.rule))


def forget_at(plan: Plan, track: Track) -> float:
    """When a series without data is forgotten: never, where it is expected."""
    if isinstance(plan.rule, Absent) and track.labels in plan.rule.expect:
        return inf
    return track.seen - (-milliseconds(plan.rule.forget) // plan.step * plan.step)


def _judge(plan: Plan, track: Track, start: int, cells: list[Cell]) -> Iterator[Change]:
    verdict: Verdict = plan.kind.judge(plan.rule, cells)
    match phases.step(plan.rule, track, start, verdict):
        case "firing":
            track.alert = messages.firing(plan.rule, track.labels, track.bad_since, verdict)
            yield Change(start, track.alert)
        case "resolved" if track.alert is not None:
            yield Change(start, messages.resolved(plan.rule, track.alert, track.good_since, verdict))
            track.alert = None


def _cells(plan: Plan, track: Track, start: int, started: int) -> list[Cell]:
    """Of the bins up to `start`; where quiet bins are zeros, since the lane is closed at all, else since the first."""
    known = track.first if isnan(plan.empty) else started
    first = max(plan.oldest(start), min(known, start))
    return [_cell(plan, track.window.get(at)) for at in range(first, start + plan.step, plan.step)]


def _has_data(track: Track, begin: int, end: int) -> bool:
    return any(begin <= at < end for at in track.window)


def _cell(plan: Plan, parts: dict[str, Part] | None) -> Cell:
    columns: list[list[float]] = [[] for _ in range(plan.kind.width(plan.rule))]
    for role, _, *numbers in (parts or {}).values():
        for column, number in enumerate(numbers, start=int(role)):
            if not isnan(number):
                columns[column].append(number)
    return tuple(plan.combine(numbers) if numbers else plan.empty for numbers in columns)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


COMBINE: Final[dict[str, Callable[[Sequence[float]], float]]] = {"sum": sum, "mean": _mean, "min": min, "max": max}
