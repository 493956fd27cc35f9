"""Runs unit tests of rules (`contracts/rule_tests.py`): what should have fired and did not, or the reverse."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from math import isclose, nan

from analysis.rules.engine import Engine
from analysis.rules.notation import expand
from analysis.rules.samples import POINTS, USER_TAGS, Message, Sample
from analysis.rules.state import State
from contracts.alerts import Alert
from contracts.rule_tests import Expectation, Firing, RuleTest, Series
from contracts.rules import SHORTEST_BIN_MS, Common, milliseconds
from contracts.series import Bin, Progress
from contracts.times import MINUTE_MS, parse_instant


def failures(test: RuleTest, rules: Mapping[str, Common]) -> list[str]:
    """A line for each expectation that is not met. ValueError when the test itself makes no sense."""
    start, step = parse_instant(test.start), milliseconds(test.bin)
    engine, state, firing = Engine(rules), State(), dict[str, Alert]()
    waiting = sorted(test.alerts, key=lambda one: milliseconds(one.at))
    found: list[str] = []
    for number, messages in enumerate(_bins(test, start, step)):
        now = start + number * step
        while waiting and start + milliseconds(waiting[0].at) < now:
            found += _compare(waiting.pop(0), firing, start, rules)
        for alert in engine.evaluate(state, messages)[1]:
            firing[alert.id] = alert
    for left in waiting:
        found += _compare(left, firing, start, rules)
    return [f"{test.name}: {line}" for line in found]


def _bins(test: RuleTest, start: int, step: int) -> Iterator[list[Message]]:
    """The messages of each bin, as long as a series or an expectation wants it; what is closed is judged at its end."""
    if step not in (SHORTEST_BIN_MS, MINUTE_MS):
        raise ValueError(f"{test.name}: bin must be 10s or 1m: {test.bin}")
    columns = [list(_samples(test, series, start, step)) for series in test.series]
    length = max([milliseconds(one.at) // step for one in test.alerts] + [len(column) for column in columns])
    yield []
    for number in range(length):
        here = [column[number] for column in columns if number < len(column)]
        messages: list[Message] = [one for one in here if one is not None]
        through = start + (number + 1) * step
        messages += [Progress(0, 1, step, through, USER_TAGS), Progress(0, 1, step, through, POINTS)]
        yield messages


def _samples(test: RuleTest, series: Series, start: int, step: int) -> Iterator[Sample | None]:
    try:
        columns = [expand(text) for text in (series.values, series.scores, series.expected)]
    except ValueError as error:
        raise ValueError(f"{test.name}: series {series.metric}: {error}") from None
    for number, (value, score, expected) in enumerate(zip_longest(*columns)):
        if value is None:
            yield None
            continue
        one = Bin(series.metric, series.labels, step, start + number * step, value, 1, 1)
        yield Sample(one, nan if score is None else score, nan if expected is None else expected)


def _compare(
    wanted: Expectation, alerts: Mapping[str, Alert], start: int, rules: Mapping[str, Common]
) -> Iterator[str]:
    if wanted.rule not in rules:
        raise ValueError(f"there is no rule {wanted.rule!r}")
    firing = [alert for alert in alerts.values() if alert.rule == wanted.rule and alert.status == "firing"]
    for one in wanted.firing:
        match = next((alert for alert in firing if _meets(alert, one, start)), None)
        if match is None:
            yield f"at {wanted.at} {wanted.rule} should fire with {_words(one)}; firing: {_all(firing)}"
        else:
            firing.remove(match)
    if firing:
        yield f"at {wanted.at} {wanted.rule} should not fire: {_all(firing)}"


def _meets(alert: Alert, wanted: Firing, start: int) -> bool:
    given = [
        wanted.value is None or (alert.value is not None and isclose(alert.value, wanted.value, rel_tol=1e-6)),
        wanted.severity in (None, alert.severity),
        wanted.summary in (None, alert.summary),
        wanted.starts_at is None or alert.starts_at == start + milliseconds(wanted.starts_at),
        wanted.labels.items() <= alert.labels.items(),
    ]
    return all(given)


def _words(wanted: Firing) -> str:
    fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value not in (None, {})) or "any labels"


def _all(firing: list[Alert]) -> str:
    return "; ".join(f"{alert.labels} value {alert.value}" for alert in firing) or "nothing"
