"""What is used elsewhere: a residual over its standard deviation. Each gives a score a point, higher is stranger."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.detection import Floats, find
from benchmarks.detect.sets import Series

EWMA_RATE: Final = 0.05
# Of Holt-Winters, additive (Winters, 1960, Manag. Sci. 6:3): level, trend, season; a season is a day.
LEVEL: Final = 0.1
TREND: Final = 0.001
SEASON: Final = 0.1
SPREAD: Final = 0.01
WARM_UP: Final = 30
CLIP: Final = 3.0  # spreads: what is further off corrects the forecast as if it were so far
DAY_MS: Final = 86_400_000
SLOTS: Final = 288


def ewma(series: Series) -> Floats:
    """Distance from the exponentially weighted mean, in exponentially weighted standard deviations."""
    return np.asarray(_ewma(series.values))


def holt_winters(series: Series) -> Floats:
    """Residual of additive Holt-Winters, in weighted mean absolute residuals; what is far off is clipped."""
    return np.asarray(_holt_winters(series.values, series.times % DAY_MS * SLOTS // DAY_MS))


def stl(series: Series) -> Floats:
    """The detector of that name: residual of a decomposition that is done anew each day, by its median deviation."""
    return scores_of("stl", series)


def scores_of(name: str, series: Series) -> Floats:
    """Of one of our detectors at its defaults; 0 where it says nothing."""
    detector = find(name)
    _, scored = detector.score(detector.start(1), series.points)
    return np.nan_to_num(scored.score)


@compiled
def _ewma(values: Floats) -> Floats:
    found = np.zeros(len(values))
    mean, variance = values[0], 0.0
    for i in range(1, len(values)):
        off = values[i] - mean
        if i > WARM_UP and variance > 0:
            found[i] = abs(off) / np.sqrt(variance)
        mean += EWMA_RATE * off
        variance = (1 - EWMA_RATE) * (variance + EWMA_RATE * off * off)
    return found


@compiled
def _holt_winters(values: Floats, slots: NDArray[np.int64]) -> Floats:
    found = np.zeros(len(values))
    season = np.zeros(SLOTS)
    level, trend, spread = values[0], 0.0, 0.0
    for i in range(1, len(values)):
        off = values[i] - (level + trend + season[slots[i]])
        if i > WARM_UP:
            found[i] = abs(off) / spread if spread > 0 else 0.0
            off = max(-CLIP * spread, min(CLIP * spread, off)) if spread > 0 else off
        spread += max(SPREAD, 1 / i) * (abs(off) - spread)
        level += trend + LEVEL * off
        trend += TREND * LEVEL * off
        season[slots[i]] += SEASON * off
    return found
