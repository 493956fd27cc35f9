"""Rules over bins: against a judge that is slow and plain; cut anywhere; late, twice, missing; and an alert's life."""

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from analysis.rules.engine import Engine
from analysis.rules.phases import bins_to_fire, bins_to_resolve
from analysis.rules.samples import Message, Sample
from analysis.rules.state import State, load
from contracts.alerts import Alert
from contracts.rules import Common, MeanThreshold, Threshold
from contracts.selectors import Selector
from contracts.times import MINUTE_MS
from tests.unit.rule_worlds import (
    METRIC,
    START,
    VALUES,
    Values,
    a_bin,
    expected,
    incidents,
    progress,
    rules,
    run,
    stream,
)


@given(rules(), VALUES)
def test_a_rule_says_what_a_plain_judge_says(rule: Threshold | MeanThreshold, values: Values) -> None:
    wanted = expected(rule, values, bins_to_fire(rule), bins_to_resolve(rule))
    found = incidents(run(rule, stream(values)))
    assert [(begins, ends) for begins, ends, _ in found] == [(one.begins, one.ends) for one in wanted]
    assert [value for *_, value in found] == pytest.approx([one.value for one in wanted])


@given(st.lists(rules(), min_size=1, max_size=3), VALUES, VALUES, st.data())
def test_calls_may_be_cut_anywhere_and_the_state_be_saved(
    some: list[Threshold | MeanThreshold], one: Values, other: Values, data: st.DataObject
) -> None:
    named: dict[str, Common] = {f"r{number}": replace(rule, name=f"r{number}") for number, rule in enumerate(some)}
    messages = _merged(stream(one, host="a"), stream(other, host="b"))
    whole = Engine(named).evaluate(State(), messages)[1]
    state, found = State(), list[Alert]()
    for piece in _pieces(data, messages):
        state, alerts = Engine(named).evaluate(load(state.dump()), piece)
        found += alerts
    assert found == whole


def _merged(one: list[Message], other: list[Message]) -> list[Message]:
    """Two streams of bins by one progress."""
    bins: dict[int, list[Message]] = {}
    last = 0
    for message in [*one, *other]:
        if isinstance(message, Sample):
            bins.setdefault(message.bin.start, []).append(message)
        else:
            last = max(last, message.through)
    merged: list[Message] = [progress(0)]
    for start in range(START, last, MINUTE_MS):
        merged += [*bins.get(start, []), progress((start - START) // MINUTE_MS + 1)]
    return merged


def _pieces(data: st.DataObject, messages: list[Message]) -> list[list[Message]]:
    places = sorted(data.draw(st.lists(st.integers(0, len(messages)), max_size=4)))
    return [messages[begin:end] for begin, end in zip([0, *places], [*places, len(messages)], strict=True)]


@given(rules(), VALUES, st.data())
def test_a_revised_bin_corrects_windows_and_unpages_nobody(
    rule: Threshold | MeanThreshold, values: Values, data: st.DataObject
) -> None:
    """Nothing is said when it comes; what has been said stays."""
    known = [number for number, value in enumerate(values) if value is not None]
    if not known:
        return
    number = data.draw(st.sampled_from(known))
    messages = stream(values)
    at = data.draw(st.integers(messages.index(progress(number + 1)) + 1, len(messages)))
    revised = Sample(a_bin(number, data.draw(st.integers(0, 9)), revision=2))
    engine = Engine({rule.name: rule})
    state, _ = engine.evaluate(State(), messages[:at])
    saved = load(state.dump())
    state, said = engine.evaluate(state, [revised])
    assert said == []
    if not isinstance(rule, MeanThreshold):
        assert state == saved
    # The same revision twice, or an older one, changes nothing more.
    once = load(state.dump())
    engine.evaluate(state, [revised, Sample(a_bin(number, 5, revision=1))])
    assert state == once


def test_the_mean_is_corrected_by_a_revision() -> None:
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=3, threshold=4)
    late: list[Message] = [*stream([1, 1, 1]), Sample(a_bin(2, 7, revision=2)), Sample(a_bin(3, 4)), progress(4)]
    assert incidents(run(rule, late)) == [(3, None, 4.0)]
    assert run(rule, [message for message in late if message != late[-3]]) == []


def test_a_bin_that_comes_again_is_not_judged_again() -> None:
    rule = Threshold(name="t", select=METRIC, above=5)
    messages: list[Message] = [
        *stream([9, 1]),
        Sample(a_bin(0, 9, revision=2)),
        Sample(a_bin(1, 8, revision=2)),
        progress(3),
    ]
    assert incidents(run(rule, messages)) == [(0, 1, 9.0)]


def test_disorder_and_duplicates_before_a_bin_is_closed_change_nothing() -> None:
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=2, threshold=5)
    bins: list[Message] = [Sample(a_bin(number, value)) for number, value in enumerate([1, 4, 7, 8])]
    ordered = run(rule, [progress(0), *bins, progress(4)])
    assert incidents(ordered) == [(2, None, 5.5)]
    assert run(rule, [progress(0), *reversed(bins), *bins, progress(4), progress(3), progress(4)]) == ordered


@pytest.mark.parametrize(("quiet", "wanted"), [("gap", [(2, 8, 9.0)]), ("zero", [(2, 4, 9.0), (7, 8, 9.0)])])
def test_a_gap_neither_resolves_nor_fires_anew_and_zero_is_zero(quiet: Any, wanted: object) -> None:
    rule = Threshold(name="t", select=METRIC, above=5, quiet=quiet)
    assert incidents(run(rule, stream([1, 1, 9, 9, None, None, None, 9, 1]))) == wanted


def test_a_gap_does_not_count_as_time_that_it_held() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, for_="3m")
    assert run(rule, stream([9, None, None, None, None, 9])) == []
    assert incidents(run(rule, stream([9, None, None, None, None, 9, 9]))) == [(0, None, 9.0)]


def test_a_series_is_forgotten_and_says_so() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, forget="10m")
    alerts = run(rule, [*stream([9]), progress(500)])
    assert [(alert.status, alert.ends_at) for alert in alerts] == [
        ("firing", None),
        ("resolved", START + 10 * MINUTE_MS),
    ]
    assert alerts[1].summary.endswith("(no data since 2022-03-01T00:00:00Z, forgotten)")
    state = Engine({"t": rule}).evaluate(State(), [*stream([9]), progress(500)])[0]
    assert state.tracks == {"t": {}}


def test_between_limit_and_recovery_an_alert_goes_on() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, recovery=3, keep_firing_for="2m")
    assert incidents(run(rule, stream([9, 1, 4, 1, 1, 9]))) == [(0, 3, 9.0), (5, None, 9.0)]


def test_a_series_is_not_forgotten_while_it_sends() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, forget="10m")
    assert incidents(run(rule, stream([9.0] * 30))) == [(0, None, 9.0)]


def test_a_leap_of_a_year_costs_no_year_of_bins() -> None:
    rule = Threshold(name="t", select=METRIC, below=5, quiet="zero", for_="1h", forget="800d")
    year = 365 * 24 * 60
    alerts = run(rule, [*stream([9]), progress(year), Sample(a_bin(year, 9)), progress(year + 1)])
    assert incidents(alerts) == [(1, year, 0.0)]
    began = process_time()
    run(replace(rule, forget="36500d"), [*stream([9]), progress(80 * year)])
    assert process_time() - began < 5, "seconds of CPU"


def test_a_rule_that_is_removed_resolves_its_alerts() -> None:
    rule = Threshold(name="t", select=METRIC, above=5)
    state, alerts = Engine({"t": rule}).evaluate(State(), stream([9]))
    state, over = Engine({}).evaluate(state, [])
    assert [(alert.id, alert.status) for alert in over] == [(alerts[0].id, "resolved")]
    assert over[0].summary.endswith("(the rule was removed or changed)")


def test_another_limit_keeps_an_alert_and_another_selection_does_not() -> None:
    rule = Threshold(name="t", select=METRIC, above=5)
    state, _ = Engine({"t": rule}).evaluate(State(), stream([9]))
    state, kept = Engine({"t": Threshold(name="t", select=METRIC, above=6)}).evaluate(state, [])
    assert kept == []
    other = Threshold(name="t", select=Selector(metric="load", match=("host=a",)), above=5)
    assert [alert.status for alert in Engine({"t": other}).evaluate(state, [])[1]] == ["resolved"]


def test_a_replay_makes_equal_messages() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, labels={"team": "shop"}, link="/plot?{metric}&host={host}")
    alerts = run(rule, stream([9, 1, 9], host="a b"))
    assert alerts == run(rule, stream([9, 1, 9], host="a b"))
    assert len({alert.id for alert in alerts}) == 2
    assert alerts[0].labels == {"metric": "load", "host": "a b", "team": "shop"}
    assert alerts[0].link == "/plot?load&host=a%20b"
    assert alerts[0].summary == "9 is above 5; host=a b, metric=load, team=shop"
