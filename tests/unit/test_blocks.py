"""Blocks: however the log is read, and wherever reading begins, it is cut alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import blocks
from analysis.blocks import Block, Segment, cut
from contracts.codec import Record, count_lines
from contracts.times import DAY_MS, MINUTE_MS
from tests.unit.strategies import NOW, logs, pieces

YEARS_MS = 3 * 365 * DAY_MS


def read(log: list[list[Record]]) -> list[Segment]:
    """The log read in these pieces: a segment a block, with all its records."""
    whole: list[Segment] = []
    block = None
    for piece in log:
        for segment in cut(block, piece):
            block = segment.block
            if whole and whole[-1].block.start == block.start:
                whole[-1] = Segment(block, whole[-1].records + segment.records)
            else:
                whole.append(segment)
    return whole


def brute_force(log: list[Record], most: int, mixed: int) -> list[Segment]:
    """The rule as the design words it, in the plainest way."""
    groups: list[list[Record]] = []
    for record in log:
        held = groups[-1] if groups else []
        lines = sum(count_lines(one.payload) for one in held)
        newest = max((one.event_time // MINUTE_MS for one in held), default=0)
        minute = record.event_time // MINUTE_MS
        strays = minute < newest and lines >= mixed and count_lines(record.payload) > 0
        days = {one.ingested // DAY_MS for one in [*held, record]}
        if not held or minute > newest or lines >= most or strays or len(days) > 1:
            groups.append([record])
        else:
            held.append(record)
    return [
        Segment(
            Block(
                start=group[0].offset,
                minute=max(one.event_time // MINUTE_MS for one in group),
                lines=sum(count_lines(one.payload) for one in group),
                last=group[-1].offset,
                ingested=group[0].ingested,
            ),
            group,
        )
        for group in groups
    ]


def at(offset: int, timestamp: int, lines: int = 1, ingested: int = NOW) -> Record:
    return Record(offset, timestamp, ingested, b"x\n" * lines)


@given(logs(), st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_batching_cuts_by_the_rule(log: list[Record], most: int, mixed: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_LINES", most)
        patch.setattr(blocks, "MIXED_LINES", mixed)
        assert read(pieces(data.draw, log)) == brute_force(log, most, mixed) == read([[record] for record in log])


@given(logs(), st.integers(1, 6), st.integers(1, 6), st.data())
def test_any_blocks_start_is_a_place_to_start_from(
    log: list[Record], most: int, mixed: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MAX_LINES", most)
        patch.setattr(blocks, "MIXED_LINES", mixed)
        whole = read([log])
        for number, segment in enumerate(whole):
            rest = [record for record in log if record.offset >= segment.block.start]
            assert read(pieces(data.draw, rest)) == whole[number:]


@given(logs(), st.data())
def test_a_replay_from_any_state_ends_alike(log: list[Record], data: st.DataObject) -> None:
    """A crash takes reading back to the state of some checkpoint: the block as it was after that many records."""
    whole = read([log])
    kept = data.draw(st.integers(0, len(log)))
    state = read([log[:kept]])
    block = state[-1].block if state else None
    replayed = {segment.block.start: segment.block for segment in cut(block, log[kept:])}
    before = {segment.block.start: segment.block for segment in state}
    assert {**before, **replayed} == {segment.block.start: segment.block for segment in whole}


def test_streams_years_apart_may_interleave() -> None:
    """A record of today in the middle of old traffic makes one cut; the old ones that follow stay in its block."""
    old = [at(offset, offset * 1000) for offset in range(0, 200, 2)]
    new = [at(offset, YEARS_MS + offset * 1000) for offset in range(101, 200, 2)]
    log = sorted(old + new)
    starts = [segment.block.start for segment in read([log])]
    assert starts == [0, 60, 101, 121, 181]


def test_a_block_holds_what_came_in_on_one_day() -> None:
    """Rows go by the day of the block's first record: one whose own timestamp is years old takes none along."""
    log = [at(0, 0), at(1, 0), at(2, 0, ingested=0), at(3, 0), at(4, 0, ingested=NOW + DAY_MS)]
    assert [(one.block.start, one.block.ingested) for one in read([log])] == [
        (0, NOW),
        (2, 0),
        (3, NOW),
        (4, NOW + DAY_MS),
    ]


def test_a_stray_record_of_today_holds_a_block_open_for_50_000_lines_at_most() -> None:
    assert blocks.MIXED_LINES == 50_000
    old = [at(offset, offset * 1000, 10_000) for offset in range(1, 13)]
    log = [at(0, YEARS_MS), *old]
    assert [(one.block.start, one.block.lines) for one in read([log])] == [(0, 50_001), (6, 70_000)]


def test_records_of_one_minute_stay_together_and_a_tick_ends_nothing() -> None:
    log = [at(0, MINUTE_MS, 40_000), at(1, MINUTE_MS + 1, 40_000), at(2, 1, 0), at(3, MINUTE_MS, 40_000)]
    assert [(one.block.start, one.block.lines) for one in read([log])] == [(0, 120_000)]


def test_a_block_ends_after_a_million_lines() -> None:
    assert blocks.MAX_LINES == 1_000_000
    log = [at(offset, 0, 250_000) for offset in range(9)]
    assert [(one.block.start, one.block.lines) for one in read([log])] == [(0, 1_000_000), (4, 1_000_000), (8, 250_000)]


def test_a_record_is_never_cut() -> None:
    assert [one.block.lines for one in read([[at(0, 0, 999_999), at(1, 0, 999_999), at(2, 0)]])] == [1_999_998, 1]


def test_a_record_without_lines_belongs_to_a_block() -> None:
    """Ticks hold no events, and their timestamps close minutes."""
    log = [at(0, 0), at(1, MINUTE_MS, 0), at(2, MINUTE_MS)]
    assert [(one.block.start, one.block.last, one.block.lines) for one in read([log])] == [(0, 0, 1), (1, 2, 1)]


def test_nothing_read_is_no_segment() -> None:
    assert read([[]]) == []
    block = read([[at(0, 0)]])[0].block
    assert list(cut(block, [])) == []
