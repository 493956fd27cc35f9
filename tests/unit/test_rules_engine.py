"""Rules over bins: against a judge that is slow and plain; cut anywhere; spread over keys; and each case by name."""

from collections import Counter
from collections.abc import Sequence
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from analysis.rules import samples, wide
from analysis.rules.engine import Engine
from analysis.rules.pages import PAGES_A_RULE, Written, join
from analysis.rules.phases import bins_to_fire, bins_to_resolve
from analysis.rules.samples import Message, Sample
from analysis.rules.selection import Share
from analysis.rules.state import State, load
from contracts.alerts import Alert
from contracts.rules import Absent, Anomaly, BurnRate, Common, MeanThreshold, Pattern, Ratio, Threshold, Window
from contracts.selectors import Selector
from contracts.series import Bin
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
    stream,
)


def run(rule: Common, messages: Sequence[Message]) -> list[Alert]:
    return Engine({rule.name: rule}).evaluate(State(), messages)[1]


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


WIDE: dict[str, Common] = {
    "sum": Threshold(name="sum", select=METRIC, by=("zone",), above=10, quiet="zero"),
    "mean": Threshold(name="mean", select=METRIC, by=(), combine="mean", above=5),
    "most": Threshold(name="most", select=METRIC, by=("zone", "host"), combine="max", above=8),
    "ratio": MeanThreshold(
        name="ratio", select=METRIC, bin="1m", bins=2, ratio=Ratio(label="host", new="a", old="b"), by=("zone",)
    ),
    "silent": Absent(name="silent", select=METRIC, by=("host",), for_="2m", expect=({"host": "d"},)),
    "burn": BurnRate(
        name="burn",
        bad=Selector(metric="load", match=("zone=x",)),
        total=METRIC,
        objective=0.5,
        windows=(Window(long="4m", short="2m", factor=1.5),),
    ),
}
SERIES = st.tuples(st.sampled_from("abc"), st.sampled_from("xy"))
CLOSED = st.lists(st.dictionaries(SERIES, st.integers(0, 9), max_size=6), max_size=12)


@given(CLOSED, st.integers(1, 3), st.integers(1, 3))
def test_rules_over_several_series_are_the_same_spread_over_keys(
    closed: list[dict[tuple[str, str], int]], shards: int, keys: int
) -> None:
    """A shard's bins go ahead of its progress; the shards take turns."""
    messages: list[Message] = [progress(0, shard=shard, shards=shards) for shard in range(shards)]
    for number, values in enumerate(closed):
        for shard in range(shards):
            messages += [
                Sample(a_bin(number, value, host=host, zone=zone))
                for (host, zone), value in values.items()
                if ord(host) % shards == shard
            ]
            messages.append(progress(number + 1, shard=shard, shards=shards))
    whole = Engine(WIDE).evaluate(State(), messages)[1]
    fan = wide.Fan(WIDE, keys)
    found = []
    for key, theirs in fan.out(messages).items():
        engine = Engine(wide.spread(WIDE), Share(key, keys))
        found += engine.evaluate(State(), samples.load(samples.dump(theirs)))[1]
    assert Counter(map(repr, found)) == Counter(map(repr, whole))


def test_rules_are_narrow_or_wide() -> None:
    both: dict[str, Common] = {**WIDE, "each": Threshold(name="each", select=METRIC, above=1)}
    assert set(wide.narrow(both)) == {"each"}
    assert set(wide.spread(both)) == set(WIDE)


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


def test_nothing_is_judged_without_progress() -> None:
    rule = Absent(name="a", select=METRIC, for_="2m")
    bins: list[Message] = [Sample(a_bin(number, 9)) for number in range(20)]
    assert run(Threshold(name="t", select=METRIC, above=5), bins) == []
    assert run(rule, [progress(0), *bins[:1], progress(1)]) == []


def test_a_lane_is_closed_when_all_of_its_shards_are() -> None:
    rule = Threshold(name="t", select=METRIC, above=5)
    bins: list[Message] = [Sample(a_bin(0, 9))]
    first, second = progress(1, shard=0, shards=2), progress(1, shard=1, shards=2)
    assert run(rule, [*bins, first]) == []
    assert len(run(rule, [*bins, first, second])) == 1
    alone = Engine({"t": rule}, alone=True).evaluate(State(), [*bins, first])[1]
    assert len(alone) == 1


def test_each_resolution_has_a_progress_of_its_own() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, bin="20s")
    fine: list[Message] = [Sample(a_bin(number, 3, step=10_000)) for number in range(4)]
    coarse: list[Message] = [Sample(a_bin(0, 99)), progress(1)]
    assert run(rule, [*fine, *coarse]) == []
    alerts = run(rule, [*fine, *coarse, progress(4, step=10_000)])
    assert [(alert.starts_at - START, alert.value) for alert in alerts] == [(0, 6.0)]


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


def test_after_a_gap_that_leaves_one_bin_in_its_window_a_mean_begins_anew() -> None:
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=2, threshold=5)
    assert incidents(run(rule, stream([9, 9, None, None, 1, 9]))) == [(1, None, 9.0)]


def test_bins_that_came_before_the_first_progress_are_judged_each() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, quiet="zero")
    bins: list[Message] = [Sample(a_bin(number, value)) for number, value in enumerate([9, 1, 9])]
    assert incidents(run(rule, [*bins, progress(4)])) == [(0, 1, 9.0), (2, 3, 9.0)]


def test_a_series_is_not_forgotten_while_it_sends() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, forget="10m")
    assert incidents(run(rule, stream([9.0] * 30))) == [(0, None, 9.0)]


def test_the_slowest_shard_closes_a_lane() -> None:
    rule = Threshold(name="t", select=METRIC, above=5)
    bins: list[Message] = [Sample(a_bin(number, 9, host=f"h{number}")) for number in range(5)]
    ahead, behind = progress(5, shard=0, shards=2), progress(2, shard=1, shards=2)
    assert [alert.labels["host"] for alert in run(rule, [*bins, ahead, behind])] == ["h0", "h1"]


def test_which_shard_is_heard_of_first_does_not_matter() -> None:
    """Three bins are known only if the lane is known from the earlier of the two beginnings on."""
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=3, threshold=2, quiet="zero")
    bins: list[Message] = [Sample(a_bin(0, 3)), Sample(a_bin(2, 3))]
    one, two = progress(1, shard=0, shards=2), progress(3, shard=1, shards=2)
    for begin in ([one, two], [two, one]):
        assert incidents(run(rule, [*bins, *begin, progress(3, shard=0, shards=2)])) == [(2, None, 2.0)]


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


def test_a_replay_makes_equal_messages() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, labels={"team": "shop"}, link="/plot?{metric}&host={host}")
    alerts = run(rule, stream([9, 1, 9], host="a b"))
    assert alerts == run(rule, stream([9, 1, 9], host="a b"))
    assert len({alert.id for alert in alerts}) == 2
    assert alerts[0].labels == {"metric": "load", "host": "a b", "team": "shop"}
    assert alerts[0].link == "/plot?load&host=a%20b"
    assert alerts[0].summary == "9 is above 5; host=a b, metric=load, team=shop"


@given(st.lists(rules(), min_size=1, max_size=3), st.lists(st.tuples(VALUES, st.sampled_from("abcdef")), max_size=3))
def test_a_state_kept_in_pages_is_the_same(
    some: list[Threshold | MeanThreshold], series: list[tuple[Values, str]]
) -> None:
    named: dict[str, Common] = {f"r{number}": replace(rule, name=f"r{number}") for number, rule in enumerate(some)}
    kept: dict[str, bytes] = {}
    written, state, whole = Written(kept), State(), State()
    for values, host in series:
        messages = stream(values, host=host)
        whole, wanted = Engine(named).evaluate(whole, messages)
        state, found = Engine(named).evaluate(join(kept), messages)
        assert found == wanted
        for name, data in written.changes(state).items():
            if data is None:
                del kept[name]
            else:
                kept[name] = data
        assert join(kept) == whole
        assert written.changes(state) == {}


def test_a_bin_rewrites_the_page_of_its_series_alone() -> None:
    rule = MeanThreshold(name="m", select=METRIC, bin="1m", bins=5, threshold=99)
    hosts: list[Message] = [Sample(a_bin(0, 1, host=f"h{number}")) for number in range(2000)]
    engine = Engine({"m": rule})
    state, _ = engine.evaluate(State(), hosts)
    written = Written({})
    assert len(written.changes(state)) == PAGES_A_RULE + 1
    state, _ = engine.evaluate(state, [Sample(a_bin(1, 1, host="h7"))])
    changed = written.changes(state)
    assert len(changed) == 1
    assert sum(len(data or b"") for data in changed.values()) < 16_000
