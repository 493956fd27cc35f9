"""Points, series, bins and blocks as rows of ClickHouse's tables."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.bin_counting import BinCount
from analysis.blocks import Block
from contracts.points import Series
from contracts.times import DAY_MS

_MILLIS: Final = pa.timestamp("ms", tz="UTC")
_EPOCH: Final = date(1970, 1, 1)


def point_rows(points: pa.RecordBatch, topic_id: UUID, partition: int) -> pa.Table:
    """Points of `PLACED_POINT_SCHEMA`, in the order of the log, as rows of the table `points` in the table's order.

    Sorted here, by codes of 16 bits mostly and so without comparing: ClickHouse then finds nothing to sort.
    """
    points = points.take(pa.array(_order(points)))
    days = (points["ingested"].to_numpy() // DAY_MS).astype(np.int32)
    return pa.table(
        {
            "series": points["series"],
            "time": points["time"].cast(_MILLIS),
            "value": points["value"],
            **_log(topic_id, partition, points.num_rows),
            "offset": points["offset"],
            "line": points["line"],
            "day": pa.array(days).cast(pa.date32()),
        }
    )


def _order(points: pa.RecordBatch) -> NDArray[np.int64]:
    """By series, time, place in the log."""
    encoded = points["series"].dictionary_encode()
    ids = encoded.dictionary.to_numpy()
    rank = np.empty(len(ids), np.uint16 if len(ids) < 2**16 else np.int64)  # numpy sorts 16 bits without comparing
    rank[np.argsort(ids)] = np.arange(len(ids))
    ranks, times = rank[encoded.indices.to_numpy()], points["time"].to_numpy()
    if bool((times[1:] >= times[:-1]).all()):
        return np.argsort(ranks, kind="stable")
    by_time = np.argsort(times, kind="stable")
    return by_time[np.argsort(ranks[by_time], kind="stable")]


def series_rows(series: Sequence[Series], day: int) -> pa.Table:
    """Rows of the table `point_series`; `day` since the epoch."""
    return pa.table(
        {
            "metric": pa.array([one.name for one in series], pa.string()),
            "id": pa.array([one.id for one in series], pa.uint64()),
            "kind": pa.array([one.kind for one in series], pa.string()),
            "labels": pa.array([one.labels for one in series], pa.map_(pa.string(), pa.string())),
            "seen": pa.repeat(_date(day), len(series)),
        }
    )


def bin_rows(counts: Sequence[BinCount], topic_id: UUID, partition: int) -> pa.Table:
    """The blocks' unwritten bins as rows of the table `bins`."""
    return pa.concat_tables([_rows_of_block(count, topic_id, partition) for count in counts])


def _rows_of_block(count: BinCount, topic_id: UUID, partition: int) -> pa.Table:
    bins = count.unwritten()
    start = (bins["start"].to_numpy() // 1000).astype(np.uint32)  # seconds in 32 bits, as ClickHouse's DateTime
    return pa.table(
        {
            "resolution": bins["resolution"].cast(pa.uint16()),
            "series": bins["series"],
            "start": pa.array(start),
            **_log(topic_id, partition, bins.num_rows),
            "block": pa.repeat(pa.scalar(count.block.start, pa.int64()), bins.num_rows),
            **{name: bins[name] for name in ("version", "count", "sum", "min", "max", "sum_squares", "last")},
            "last_time": bins["last_time"].cast(_MILLIS),
            "day": pa.repeat(_date(count.block.ingested // DAY_MS), bins.num_rows),
        }
    )


def block_rows(blocks: Sequence[Block], topic_id: UUID, partition: int) -> pa.Table:
    """Rows of the table `point_blocks`."""
    return pa.table(
        {
            **_log(topic_id, partition, len(blocks)),
            "block": [block.start for block in blocks],
            "last_offset": [block.last for block in blocks],
            "lines": [block.lines for block in blocks],
            "minute": pa.array([block.minute * 60 for block in blocks], pa.uint32()),
            "ingested": pa.array([block.ingested for block in blocks], _MILLIS),
        }
    )


def _log(topic_id: UUID, partition: int, length: int) -> dict[str, pa.Array]:
    return {
        # As ClickHouse keeps it: the text of 36 characters was half of a row on its way.
        "topic_id": pa.repeat(pa.scalar(topic_id.bytes, pa.binary(16)), length),
        "partition": pa.repeat(pa.scalar(partition, pa.uint16()), length),
    }


def _date(day: int) -> pa.Scalar:
    return pa.scalar(_EPOCH + timedelta(days=day), pa.date32())
