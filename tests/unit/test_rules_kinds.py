"""Rules over bins, kind by kind: what is absent, a mean, an anomaly, a budget that burns, a pattern."""

from typing import Any

import pytest

from analysis.rules.samples import Message, Sample
from contracts.rules import Absent, Anomaly, BurnRate, MeanThreshold, Pattern, Window
from contracts.selectors import Selector
from contracts.series import Bin
from contracts.times import MINUTE_MS
from tests.unit.rule_worlds import METRIC, START, a_bin, incidents, progress, run, stream


def test_absent_tells_no_data_from_zero() -> None:
    rule = Absent(name="a", select=METRIC, for_="2m", severity="critical")
    assert run(rule, stream([0, 0, 0, 0])) == []
    alerts = run(rule, stream([0, None, None, None, 0]))
    assert incidents(alerts) == [(1, 4, 0.0)]
    assert {alert.severity for alert in alerts} == {"critical"}


def test_a_bin_without_events_is_no_data() -> None:
    """As the detector fills in quiet bins."""
    rule = Absent(name="a", select=METRIC, for_="1m")
    quiet = Sample(Bin("load", {}, MINUTE_MS, START + MINUTE_MS, 0, 0, 0), score=9.0)
    assert incidents(run(rule, [*stream([1]), quiet, progress(2)])) == [(1, None, 0.0)]


def test_a_source_that_must_send_is_missed_before_it_ever_did() -> None:
    rule = Absent(name="a", select=METRIC, by=("host",), expect=({"host": "a"}, {"host": "b"}), for_="2m")
    alerts = run(rule, stream([1, 1, 1, 1], host="a"))
    assert [alert.labels for alert in alerts] == [{"host": "b"}]


def test_after_a_gap_that_leaves_one_bin_in_its_window_a_mean_begins_anew() -> None:
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=2, threshold=5)
    assert incidents(run(rule, stream([9, 9, None, None, 1, 9]))) == [(1, None, 9.0)]


@pytest.mark.parametrize(
    ("direction", "value", "fires"),
    [
        ("spike", 30, True),
        ("spike", 2, False),
        ("drop", 2, True),
        ("drop", 30, False),
        ("both", 2, True),
        ("both", 13, False),
    ],
)
def test_an_anomaly_has_a_direction_and_a_least_deviation(direction: Any, value: float, fires: bool) -> None:
    rule = Anomaly(name="a", select=METRIC, direction=direction, min_deviation=5, keep_firing_for="2m")
    odd = Sample(a_bin(0, value), score=7.5, expected=10)
    alerts = run(rule, [odd, progress(1)])
    assert [(one.value, one.expected, one.score, one.threshold) for one in alerts] == [(value, 10, 7.5, 5.0)] * fires


def test_a_quiet_bin_that_was_scored_is_judged() -> None:
    rule = Anomaly(name="a", select=METRIC)
    filled = Sample(Bin("load", {}, MINUTE_MS, START, 0, 0, 0), score=9.0, expected=40)
    assert incidents(run(rule, [filled, progress(1)])) == [(0, None, 0.0)]


def test_an_anomaly_lasts_until_scores_are_low_for_a_while() -> None:
    rule = Anomaly(name="a", select=METRIC, keep_firing_for="2m")
    scores = [7.0, 1.0, 7.0, 1.0, 1.0]
    messages = [
        message
        for number, score in enumerate(scores)
        for message in (Sample(a_bin(number, 3), score, 3), progress(number + 1))
    ]
    assert incidents(run(rule, messages)) == [(0, 3, 3.0)]


def test_a_budget_burns_in_both_windows() -> None:
    windows = (Window(long="10m", short="2m", factor=9.5),)
    bad, total = Selector(metric="load", match=("kind=bad",)), Selector(metric="load")
    rule = BurnRate(name="b", bad=bad, total=total, objective=0.99, windows=windows)
    failing = [0] * 10 + [20] * 6 + [0] * 4
    messages: list[Message] = [progress(0)]
    for number, value in enumerate(failing):
        messages += [Sample(a_bin(number, 100 - value, kind="good")), Sample(a_bin(number, value, kind="bad"))]
        messages.append(progress(number + 1))
    found = run(rule, messages)
    by_hand = [_burn(failing, number) for number in range(len(failing))]
    first = next(number for number, burn in enumerate(by_hand) if burn >= 9.5)
    last = next(number for number, burn in enumerate(by_hand) if number > first and burn < 9.5)
    assert [(begins, ends) for begins, ends, _ in incidents(found)] == [(first, last)]
    assert found[0].value == pytest.approx(by_hand[first])


def _burn(failing: list[int], number: int) -> float:
    def rate(bins: int) -> float:
        some = failing[max(0, number - bins + 1) : number + 1]
        return sum(some) / (100 * len(some)) / 0.01

    return min(rate(10), rate(2))


def test_a_pattern_fires_and_is_over_when_it_was_not_found_for_a_while() -> None:
    rule = Pattern(name="p", pattern="checkout_broken", keep_firing_for="2m")
    found = Bin("pattern_matches", {"pattern": "checkout_broken"}, MINUTE_MS, START, 1, 3, 1)
    other = Bin("pattern_matches", {"pattern": "another"}, MINUTE_MS, START, 1, 1, 1)
    messages: list[Message] = [Sample(found), Sample(other), *(progress(number) for number in range(1, 5))]
    assert incidents(run(rule, messages)) == [(0, 1, 3.0)]
