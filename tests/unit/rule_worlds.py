"""Rules, bins and progress for the tests of rules, and a judge that is slow and plain."""

from collections.abc import Sequence
from math import isnan, nan
from typing import Any, NamedTuple

from hypothesis import strategies as st

from analysis.rules.engine import Engine
from analysis.rules.samples import POINTS, Message, Sample
from analysis.rules.state import State
from contracts.alerts import Alert
from contracts.rules import Common, MeanThreshold, Threshold
from contracts.selectors import Selector
from contracts.series import Bin, Progress
from contracts.times import MINUTE_MS

START = 1_646_092_800_000  # 2022-03-01T00:00:00Z
METRIC = Selector(metric="load")
Values = Sequence[float | None]


class Incident(NamedTuple):
    """An alert by bins: begins, fires, is over (None: not yet), and the value when it fired."""

    begins: int
    fires: int
    ends: int | None
    value: float


def a_bin(number: int, value: float, *, revision: int = 1, step: int = MINUTE_MS, **labels: str) -> Bin:
    return Bin("load", labels, step, START + number * step, value, 1, revision)


def progress(number: int, *, step: int = MINUTE_MS, shard: int = 0, shards: int = 1) -> Progress:
    """All bins before this number are closed."""
    return Progress(shard, shards, step, START + number * step, POINTS)


def stream(values: Values, **labels: str) -> list[Message]:
    """A series' bins, each closed at its end; the bin before them is closed, too."""
    messages: list[Message] = [progress(0)]
    for number, value in enumerate(values):
        if value is not None:
            messages.append(Sample(Bin("load", labels, MINUTE_MS, START + number * MINUTE_MS, value, 1, 1)))
        messages.append(progress(number + 1))
    return messages


def run(rule: Common, messages: Sequence[Message]) -> list[Alert]:
    """What one rule says of these messages, the first that it hears."""
    return Engine({rule.name: rule}).evaluate(State(), messages)[1]


def incidents(alerts: Sequence[Alert]) -> list[tuple[int, int | None, float | None]]:
    """Begin, end and value at the beginning of each alert, in bins since START."""
    ends = {alert.id: alert.ends_at for alert in alerts if alert.status == "resolved"}
    return [
        ((alert.starts_at - START) // MINUTE_MS, _number(ends.get(alert.id)), alert.value)
        for alert in alerts
        if alert.status == "firing"
    ]


def _number(time: int | None) -> int | None:
    return None if time is None else (time - START) // MINUTE_MS


def judged(rule: Threshold | MeanThreshold, values: Values, number: int) -> float:
    """The value that is judged in a bin, nan where nothing can be said. Looks at the whole past each time."""
    there = [value is not None for value in values]
    bins = rule.bins if isinstance(rule, MeanThreshold) else 1
    if not any(there[: number + 1]):
        return nan
    if rule.quiet == "zero":
        window = [value or 0.0 for value in values[max(0, number - bins + 1) : number + 1]]
        # One bin more was closed before those of the test.
        return sum(window) / bins if number + 2 >= bins else nan
    if values[number] is None:
        return nan
    begin = number  # of the stretch of data that no gap as long as the window cuts
    for earlier in range(number, -1, -1):
        if there[earlier]:
            begin = earlier
        elif not any(there[max(0, begin - bins + 1) : begin]):
            break
    if number - begin + 1 < bins:
        return nan
    known = [value for value in values[number - bins + 1 : number + 1] if value is not None]
    return sum(known) / len(known)


def expected(rule: Threshold | MeanThreshold, values: Values, for_: int, keep: int) -> list[Incident]:
    """What a rule should say, found by looking for runs: `for_` and `keep` in bins, at least 1."""
    verdicts = [(number, value) for number in range(len(values)) if not isnan(value := judged(rule, values, number))]
    bad, over = ([test(rule, value) for _, value in verdicts] for test in (_is_bad, _is_over))
    found: list[Incident] = []
    begin = 0
    while (first := _first_run(bad, begin, for_)) is not None:
        fires = first + for_ - 1
        end = _first_run(over, fires + 1, keep)
        number, value = verdicts[fires]
        found.append(Incident(verdicts[first][0], number, None if end is None else verdicts[end][0], value))
        if end is None:
            break
        begin = end + keep
    return found


def _first_run(flags: Sequence[bool], begin: int, length: int) -> int | None:
    """Where so many true ones stand in a row first."""
    places = range(begin, len(flags) - length + 1)
    return next((place for place in places if all(flags[place : place + length])), None)


def _is_bad(rule: Threshold | MeanThreshold, value: float) -> bool:
    if isinstance(rule, MeanThreshold):
        return value >= rule.threshold
    return value > rule.above if rule.above is not None else rule.below is not None and value < rule.below


def _is_over(rule: Threshold | MeanThreshold, value: float) -> bool:
    if isinstance(rule, MeanThreshold):
        return value < (rule.threshold if rule.recovery is None else rule.recovery)
    if rule.above is not None:
        return value <= (rule.above if rule.recovery is None else rule.recovery)
    return rule.below is not None and value >= (rule.below if rule.recovery is None else rule.recovery)


VALUES = st.lists(st.none() | st.integers(0, 9).map(float), max_size=40)
BINS = st.integers(0, 4)


@st.composite
def rules(draw: st.DrawFn) -> Threshold | MeanThreshold:
    """Thresholds and means of a minute's bins."""
    common: dict[str, Any] = {
        "name": "r",
        "select": METRIC,
        "quiet": draw(st.sampled_from(["zero", "gap"])),
        "for_": f"{draw(BINS)}m",
        "keep_firing_for": f"{draw(BINS)}m",
    }
    limit, slack = float(draw(st.integers(1, 8))), draw(st.none() | st.integers(0, 2))
    match draw(st.sampled_from(["above", "below", "mean"])):
        case "above":
            return Threshold(**common, above=limit, recovery=None if slack is None else limit - slack)
        case "below":
            return Threshold(**common, below=limit, recovery=None if slack is None else limit + slack)
        case _:
            back = None if slack is None else limit - slack
            return MeanThreshold(**common, bin="1m", bins=draw(st.integers(1, 5)), threshold=limit, recovery=back)
