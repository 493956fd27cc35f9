"""The rules' state kept in pages: the same, and a bin rewrites little of it."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from analysis.rules.engine import Engine
from analysis.rules.pages import PAGES_A_RULE, Written, join
from analysis.rules.samples import Message, Sample
from analysis.rules.state import State
from contracts.rules import Common, MeanThreshold, Threshold
from tests.unit.rule_worlds import METRIC, VALUES, Values, a_bin, rules, stream


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
