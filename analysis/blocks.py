"""Blocks of the log: how a partition is cut, so that whatever is counted is a function of the log alone.

A block is a contiguous run of a partition's records. It ends

- before the first record whose event time lies in a later minute than that of the block's first record,
- before the first record that came in on another day than the block's first record,
- after 50,000 lines before the first record with lines that lies in an earlier minute: one stray record of today in a
  stream of years ago would else hold the block open for as long as lines last,
- after 1,000,000 lines.

The rule sees the log from the block's start on and nothing else, so every run, replay and batching cuts alike, and any
block's start is a place to start from.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from contracts.codec import Record, count_lines
from contracts.times import DAY_MS, MINUTE_MS

MAX_LINES: Final = 1_000_000
MIXED_LINES: Final = 50_000


class Block(NamedTuple):
    """A block as far as it was read. Times in epoch milliseconds."""

    start: int  # offset of its first record, and its name
    minute: int  # of its first record's event time, in whole minutes since the epoch: the latest in it
    lines: int
    last: int  # offset of the last record read
    ingested: int  # of its first record, on whose day all of it came in: retention goes by it


class Segment(NamedTuple):
    """The records that one batch of reading adds to a block; `block` is its state after them."""

    block: Block
    records: list[Record]


def cut(block: Block | None, records: Iterable[Record]) -> Iterator[Segment]:
    """Continues the partition's open block (None at the very beginning) with its next records, in order.

    Yields a segment for each block that got any; all but the last of them are closed.
    """
    taken: list[Record] = []
    for record in records:
        lines = count_lines(record.payload)
        if block is not None and _ends(block, record, lines):
            if taken:
                yield Segment(block, taken)
            block, taken = None, []
        if block is None:
            block = Block(record.offset, record.event_time // MINUTE_MS, 0, record.offset, record.ingested)
        block = block._replace(lines=block.lines + lines, last=record.offset)
        taken.append(record)
    if block is not None and taken:
        yield Segment(block, taken)


def _ends(block: Block, record: Record, lines: int) -> bool:
    """Whether the block ends before this record, which has so many lines."""
    minute = record.event_time // MINUTE_MS
    if minute > block.minute or block.lines >= MAX_LINES or record.ingested // DAY_MS != block.ingested // DAY_MS:
        return True
    return minute < block.minute and lines > 0 and block.lines >= MIXED_LINES
