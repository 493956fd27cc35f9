"""Counting a partition block by block: what `blocks` cuts, `groups` adds up.

A `Count` is a block with its groups and how far these were written to the store. Folding more of the log into it, in
whatever pieces, and writing `unwritten` groups whenever, ends in the same rows: a function of the log.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

import pyarrow as pa

from analysis import arrow, blocks, groups, series
from analysis.blocks import Block
from contracts.codec import Record, decode

_HEAD: Final = struct.Struct("<qqqqqq")  # the block's five numbers and `written`


class Count(NamedTuple):
    """`groups` (GROUP_SCHEMA) of the block as far as it was read; rows up to offset `written` are in the store."""

    block: Block
    groups: pa.Table
    written: int

    def unwritten(self) -> pa.Table:
        """The groups that changed since they were written."""
        return groups.changed_since(self.groups, self.written)

    def dump(self) -> bytes:
        return _HEAD.pack(*self.block, self.written) + arrow.dump(self.groups)

    @staticmethod
    def load(data: bytes) -> "Count":
        *block, written = _HEAD.unpack_from(data)
        return Count(Block(*block), arrow.load(data[_HEAD.size :]), written)


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
            count = Count(block, groups.NO_GROUPS, -1)
        events = groups.with_minute(decode(taken).events)
        count = Count(block, groups.add(count.groups, groups.group(events)), count.written)
        partials.append(series.partial(events))
    return Folded([*counts, *([count] if count else [])], series.add(partials))
