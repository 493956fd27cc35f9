"""Scored bins as rows of the table `scored_bins`."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import pyarrow as pa

from analysis.watch.live import key_of, series_id
from analysis.watch.scored import ScoredBin
from contracts.times import DAY_MS

_EPOCH: Final = date(1970, 1, 1)


def score_rows(scored: Sequence[ScoredBin], now: int) -> pa.Table:
    """`now`: the clock, epoch milliseconds."""
    bins = [one.bin for one in scored]
    length = len(scored)
    return pa.table(
        {
            "metric": pa.array([one.metric for one in bins], pa.string()),
            "series": pa.array([series_id(key_of(one.metric, one.labels)) for one in bins], pa.uint64()),
            "labels": pa.array([list(one.labels.items()) for one in bins], pa.map_(pa.string(), pa.string())),
            "resolution": pa.array([one.resolution // 1000 for one in bins], pa.uint32()),
            "start": pa.array([one.start // 1000 for one in bins], pa.uint32()),
            "revised": pa.array([one.revised for one in scored], pa.bool_()),
            "revision": pa.array([one.revision for one in bins], pa.int64()),
            "value": pa.array([float(one.value) for one in bins], pa.float64()),
            "score": _known([one.score for one in scored]),
            "expected": _known([one.expected for one in scored]),
            "lower": _known([one.lower for one in scored]),
            "upper": _known([one.upper for one in scored]),
            "channel": pa.array([one.channel for one in scored], pa.string()),
            "day": pa.repeat(pa.scalar(_EPOCH + timedelta(days=now // DAY_MS), pa.date32()), length),
        }
    )


def _known(values: list[float]) -> pa.Array:
    """Null where it is nan."""
    return pa.array(values, pa.float64(), from_pandas=True)
