"""Plans of faults and malformed bytes: pure in the seed, fair to every target, and malformed indeed."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import Record, decode
from contracts.events import tags_of
from testbed.faults import TARGETS, plan
from testbed.generator import Traffic
from testbed.malformed import LONGEST, bad_line, mixed_record

SEEDS = st.integers(0, 2**32)
NOW = 4_000_000_000_000  # epoch milliseconds; no time lies ahead of it


@given(SEEDS, st.integers(0, 40), st.integers(0, 20))
def test_a_plan_repeats_and_is_fair(seed: int, kills: int, stops: int) -> None:
    faults = plan(seed, kills, stops)
    assert faults == plan(seed, kills, stops)
    for action, number in (("kill", kills), ("stop", stops)):
        turns = Counter(fault.target for fault in faults if fault.action == action)
        assert turns.total() == number
        assert max(turns.values(), default=0) <= -(-number // len(TARGETS))
    assert not any(fault.hasty for fault in faults[:1])
    assert all((fault.pause > 0) == (fault.action == "stop") for fault in faults)


def test_seeds_make_different_plans() -> None:
    assert len({tuple(plan(seed, 20, 8)) for seed in range(20)}) == 20


@given(SEEDS, st.integers(0, 10**9))
def test_a_bad_line_is_one_and_tells_its_number(seed: int, number: int) -> None:
    line = bad_line(seed, number, Traffic(seed).tag(number))
    found = decode([Record(0, NOW, NOW, line)])
    assert found.events.num_rows == 0
    assert [reject.data for reject in found.rejects] == [line]
    assert b"bad-%d-%d" % (seed, number) in line


@given(SEEDS, st.integers(0, 10**6), st.integers(1, LONGEST))
def test_a_mixed_record_holds_its_tags_and_its_bad_pieces_in_order(seed: int, number: int, size: int) -> None:
    tags = [Traffic(seed).tag(at) for at in range(size)]
    record = mixed_record(seed, number, tags)
    found = decode([Record(0, NOW, NOW, record.value)])
    assert sorted(map(repr, tags_of(found.events))) == sorted(map(repr, record.tags))
    assert [reject.data for reject in found.rejects] == record.bad
    assert record.tags in ([], tags)
    assert len(set(record.bad)) == len(record.bad) > 0


def test_pieces_differ_between_records() -> None:
    pieces = [piece for number in range(500) for piece in mixed_record(3, number, [Traffic(3).tag(number)]).bad]
    assert len(set(pieces)) == len(pieces)
