"""Points to score, made from values."""

import numpy as np

from analysis.detection import Floats, Ints, Points

MINUTE_MS = 60_000
START_MS = 1_651_363_200_000  # 2022-05-01T00:00:00Z, a Sunday


def one(values: Floats, times: Ints | None = None) -> Points:
    """Of one series, a minute each unless times say otherwise; its days are those of UTC."""
    if times is None:
        times = START_MS + np.arange(len(values), dtype=np.int64) * MINUTE_MS
    return Points(np.zeros(len(values), np.int64), times, values, times)


def many(values: Floats, time: int) -> Points:
    """One point of each of several series, all at the same time."""
    times = np.full(len(values), time)
    return Points(np.arange(len(values)), times, values, times)
