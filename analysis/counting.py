"""Counting a partition block by block: what `blocks` cuts, `groups` adds up.

A `Count` is a block with its groups and how far these were written to the store. Folding more of the log into it, in
whatever pieces, and writing `unwritten` groups whenever, ends in the same rows: a function of the log.

Folding only lays what a piece adds beside what was there, since summing costs as much as there are groups: where
nearly each event is a group of its own, summing with every piece would cost more than all else.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

import pyarrow as pa

from analysis import arrow, blocks, groups, series
from analysis.blocks import Block
from contracts.codec import Record, decode
from contracts.events import COUNTED_SCHEMA

_HEAD: Final = struct.Struct("<qqqqqq")  # the block's five numbers and `written`


class Count(NamedTuple):
    """`runs` (tables of GROUP_SCHEMA) sum up to the groups of the block as far as it was read; rows up to offset
    `written` are in the store."""

    block: Block
    runs: list[pa.Table]
    written: int

    def summed(self) -> "Count":
        """The same in a single run, in which each group has one row."""
        return self._replace(runs=[groups.total(self.runs)])

    def unwritten(self) -> pa.Table:
        """The groups that changed since they were written."""
        return groups.changed_since(groups.total(self.runs), self.written)

    def head(self) -> bytes:
        """All but the runs."""
        return _HEAD.pack(*self.block, self.written)

    def dump(self) -> bytes:
        return self.head() + arrow.dump(groups.total(self.runs))

    @staticmethod
    def load(data: bytes, runs: Iterable[bytes] = ()) -> "Count":
        """From what `dump` gave, or from `head` and what `arrow.dump` gave of each run."""
        head, run = data[: _HEAD.size], data[_HEAD.size :]
        *block, written = _HEAD.unpack(head)
        blobs = [run, *runs] if run else runs
        return Count(Block(*block), [arrow.load(blob) for blob in blobs], written)


class Folded(NamedTuple):
    """`counts`: the blocks that were touched, all but the last of them closed; `series`: their partial."""

    counts: list[Count]
    series: pa.Table


def fold(count: Count | None, records: Iterable[Record]) -> Folded:
    """Continues the partition's open block with its next records, in order."""
    counts: list[Count] = []
    partials: list[pa.Table] = []
    for block, taken in blocks.cut(count.block if count else None, records):
        if count is None or count.block.start != block.start:
            counts += [count] if count else []
            count = Count(block, [], -1)
        events = groups.with_minute(decode(taken, COUNTED_SCHEMA).events)
        grouped = groups.group(events)
        count = Count(block, [*count.runs, grouped] if grouped.num_rows else count.runs, count.written)
        partials.append(series.partial(events, grouped))
    return Folded([*counts, *([count] if count else [])], series.add(partials))
