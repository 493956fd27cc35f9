"""Counting a partition of points block by block, as `counting` does it for tags."""

import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from analysis import arrow, bin_partials, bins, blocks
from analysis.bins import Fine
from analysis.blocks import Block
from contracts.codec import Record
from contracts.names import CANARY_METRIC
from contracts.point_codec import DecodedPoints, decode_points
from contracts.points import Series
from contracts.settings import Jobs
from contracts.watched_bins import Spans

_HEAD: Final = struct.Struct("<qqqqqq")  # the block's five numbers and `written`


class BinCount(NamedTuple):
    """`bins` (BIN_SCHEMA) of the block as far as it was read; rows up to offset `written` are in the store."""

    block: Block
    bins: pa.Table
    written: int

    def unwritten(self) -> pa.Table:
        """The bins that changed since they were written."""
        return bins.changed_since(self.bins, self.written)

    def dump(self) -> bytes:
        return _HEAD.pack(*self.block, self.written) + arrow.dump(self.bins)

    @staticmethod
    def load(data: bytes) -> "BinCount":
        *block, written = _HEAD.unpack_from(data)
        return BinCount(Block(*block), arrow.load(data[_HEAD.size :]), written)


class FoldedBins(NamedTuple):
    """`counts`: the blocks that were touched, all but the last of them closed; `partial`: for the closed bins.

    `decoded`: what the records hold, block by block.
    """

    counts: list[BinCount]
    partial: pa.Table
    decoded: list[DecodedPoints]

    @property
    def series(self) -> Mapping[int, Series]:
        """All that the records name, by id."""
        return {identity: one for part in self.decoded for identity, one in part.series.items()}


def fine_bins(jobs: Jobs, watched: Mapping[str, Spans]) -> Fine:
    """Which metrics have bins of seconds: those of the settings, and those that rules watch, as far as they do."""
    ten_seconds = {**watched, **bins.always([*jobs.ten_second_metrics, CANARY_METRIC])}
    return {1: bins.always(jobs.second_metrics), 10: ten_seconds}


def fold(count: BinCount | None, records: Iterable[Record], fine: Fine) -> FoldedBins:
    """Continues the partition's open block with its next records, in order."""
    counts: list[BinCount] = []
    partials: list[pa.Table] = []
    all_decoded: list[DecodedPoints] = []
    for block, taken in blocks.cut(count.block if count else None, records):
        if count is None or count.block.start != block.start:
            counts += [count] if count else []
            count = BinCount(block, bins.NO_BINS, -1)
        decoded = decode_points(taken)
        all_decoded.append(decoded)
        single = bins.of_points(decoded.points, decoded.series, fine)
        extended, added = bins.extend(count.bins, single)
        count = BinCount(block, extended, count.written)
        partials.append(bin_partials.of_bins(added, decoded.series))
    partial = partials[0] if len(partials) == 1 else bin_partials.add(partials)  # mostly the records are of one block
    return FoldedBins([*counts, *([count] if count else [])], partial, all_decoded)
