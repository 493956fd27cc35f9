"""Counting by blocks: however the log is read, written and read again after crashes, the table ends up the same."""

import random
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import arrow, blocks, series
from analysis.counting import Count, fold
from contracts.codec import Record, decode
from contracts.times import MINUTE_MS
from tests.unit.strategies import logs, pieces
from tests.unit.test_series import as_dict as series_as_dict
from tests.unit.test_series import brute_force as brute_force_series

Group = tuple[int, str, str, str, str]
NAMES = ("action", "origin", "brand_id", "category_id")


@dataclass
class Store:
    """The table `aggregates_1m` as ReplacingMergeTree keeps it: of a key's rows, the one of the highest version."""

    rows: dict[tuple[Group, int], tuple[int, int, int]] = field(default_factory=dict)

    def write(self, block: int, groups: pa.Table) -> None:
        for row in groups.to_pylist():
            key = ((row["minute"], *(row[name] for name in NAMES)), block)
            version, count, price = row["version"], row["count"], row["sum_price"]
            before = self.rows.get(key)
            if before and before[0] == version:
                assert before == (version, count, price), "two rows of one version differ"
            if before is None or before[0] < version:
                self.rows[key] = (version, count, price)

    def totals(self) -> dict[Group, tuple[int, int]]:
        sums: dict[Group, tuple[int, int]] = {}
        for (group, _), (_, count, price) in self.rows.items():
            before = sums.get(group, (0, 0))
            sums[group] = (before[0] + count, before[1] + price)
        return sums


def brute_force(log: list[Record]) -> dict[Group, tuple[int, int]]:
    """Count and sum of price of each group over all events."""
    sums: dict[Group, tuple[int, int]] = {}
    for event in decode(log).events.to_pylist():
        group: Group = (event["time"] // MINUTE_MS, *(event[name] for name in NAMES))
        before = sums.get(group, (0, 0))
        sums[group] = (before[0] + 1, before[1] + event["price"])
    return sums


def brute_force_store(log: list[Record]) -> Store:
    """Every block counted in one go, and written once."""
    store = Store()
    for block, records in blocks.cut(None, log):
        for group, (count, price) in brute_force(records).items():
            version = max(one.offset for one in records if group in brute_force([one]))
            store.rows[group, block.start] = (version, count, price)
    return store


def write(store: Store, counts: list[Count]) -> list[Count]:
    """Writes what is unwritten, as the operator does; returns the counts with that noted."""
    for count in counts:
        store.write(count.block.start, count.unwritten())
    return [count._replace(written=count.block.last) for count in counts]


class Operator:
    """What the operator keeps from one flush to the next; its state passes through bytes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.current: bytes | None = None
        self.waiting: list[bytes] = []  # closed and not written

    def flush(self, records: list[Record], writable: bool) -> pa.Table:
        folded = fold(Count.load(self.current) if self.current else None, records)
        counts = [*map(Count.load, self.waiting), *folded.counts]
        if writable:
            counts = write(self.store, counts)[-1:]
        self.waiting = [count.dump() for count in counts[:-1]]
        self.current = counts[-1].dump() if counts else None
        return folded.series


@given(logs(), st.integers(1, 8), st.data())
def test_any_run_with_crashes_ends_in_the_same_rows(log: list[Record], most: int, data: st.DataObject) -> None:
    """After each piece the outside may take the write or not, and the operator may fall back to an older state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_LINES", most)
        patch.setattr(blocks, "MIXED_LINES", most // 2)
        store = Store()
        operator = Operator(store)
        at, checkpoint = 0, (0, operator.current, operator.waiting)
        crashes = data.draw(st.integers(0, 3))
        while at < len(log):
            size = data.draw(st.integers(1, len(log) - at))
            operator.flush(log[at : at + size], data.draw(st.booleans()))
            at += size
            if data.draw(st.booleans()):
                checkpoint = (at, operator.current, operator.waiting)
            if crashes and data.draw(st.booleans()):
                crashes -= 1
                at, operator.current, operator.waiting = checkpoint
        operator.flush([], True)
        assert store.rows == brute_force_store(log).rows
        assert store.totals() == brute_force(log)


@given(logs(), st.data())
def test_writes_may_come_in_any_order_and_again(log: list[Record], data: st.DataObject) -> None:
    written: list[tuple[int, pa.Table]] = []
    count = None
    for piece in pieces(data.draw, log):
        counts = fold(count, piece).counts
        written += [(one.block.start, one.unwritten()) for one in counts]
        count = counts[-1]._replace(written=counts[-1].block.last) if counts else None
    random.Random(data.draw(st.integers())).shuffle(written)  # noqa: S311  # hypothesis knows the seed
    store = Store()
    for block, rows in [*written, *written[: len(written) // 2]]:
        store.write(block, rows)
    assert store.rows == brute_force_store(log).rows


@given(logs(), st.data())
def test_a_start_at_any_blocks_start_writes_the_same_rows(log: list[Record], data: st.DataObject) -> None:
    """Without state, as after `deploy --rebuild`: what is there already stays right."""
    store = Store()
    starts = [count.block.start for count in write(store, fold(None, log).counts)]
    whole = dict(store.rows)
    if starts:
        start = data.draw(st.sampled_from(starts))
        operator = Operator(store)
        for piece in pieces(data.draw, [record for record in log if record.offset >= start]):
            operator.flush(piece, data.draw(st.booleans()))
        operator.flush([], True)
        assert store.rows == whole == brute_force_store(log).rows


@given(logs(), st.data())
def test_the_series_partials_add_up(log: list[Record], data: st.DataObject) -> None:
    operator = Operator(Store())
    partials = [operator.flush(piece, data.draw(st.booleans())) for piece in pieces(data.draw, log)]
    assert series_as_dict(series.add(partials)) == brute_force_series(log)


@given(logs())
def test_only_what_changed_is_written_again(log: list[Record]) -> None:
    count = None
    for record in log:
        counts = fold(count, [record]).counts
        count = write(Store(), counts)[-1]
        assert count.unwritten().num_rows == 0
        changed = brute_force([record])
        assert counts[-1].unwritten().num_rows == len(changed)


@given(logs())
def test_a_count_passes_through_bytes(log: list[Record]) -> None:
    for count in fold(None, log).counts:
        for again in (Count.load(count.dump()), Count.load(count.head(), map(arrow.dump, count.runs))):
            assert (again.block, again.written) == (count.block, count.written)
            assert again.unwritten().equals(count.unwritten())


def test_nothing_folds_to_nothing() -> None:
    assert fold(None, []).counts == []
    assert fold(None, []).series.num_rows == 0
