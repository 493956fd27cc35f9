"""Rules over bins of several shards and resolutions: spread over keys, and judged by the progress of each."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from analysis.rules import samples, wide
from analysis.rules.engine import Engine
from analysis.rules.samples import Message, Sample
from analysis.rules.selection import Share
from analysis.rules.state import State
from contracts.rules import Absent, BurnRate, Common, MeanThreshold, Ratio, Threshold, Window
from contracts.selectors import Selector
from tests.unit.rule_worlds import METRIC, START, a_bin, incidents, progress, run

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


def test_bins_that_came_before_the_first_progress_are_judged_each() -> None:
    rule = Threshold(name="t", select=METRIC, above=5, quiet="zero")
    bins: list[Message] = [Sample(a_bin(number, value)) for number, value in enumerate([9, 1, 9])]
    assert incidents(run(rule, [*bins, progress(4)])) == [(0, 1, 9.0), (2, 3, 9.0)]
