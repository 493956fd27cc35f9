"""NAB's score of a detector, by the method of its authors (Lavin and Ahmad, 2015, arXiv:1510.03336).

In a window the first detection earns a sigmoid of its position, the earlier the more; a false alarm costs, less so
right behind a window; a missed window costs. One threshold holds for all files. A detector that never detects gets 0,
a perfect one 100.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detect.sets import Series

Floats = NDArray[np.float64]
STEEP: Final = 5.0
FAR: Final = 3.0  # widths behind a window from which on a false alarm costs in full
BEST: Final = float(2 / (1 + np.exp(-STEEP)) - 1)  # of the sigmoid, at the left edge of a window


class Gains(NamedTuple):
    """What lowering the threshold to `scores` (falling) adds to the total, and how many windows there are to find."""

    scores: Floats
    gains: Floats
    windows: int
    costs: dict[str, float]

    def at(self, threshold: float) -> float:
        """The total of what `threshold` detects; a missed window costs."""
        detected = float(self.gains[self.scores >= threshold].sum())
        return detected - self.costs["fnWeight"] * self.windows

    def best(self) -> float:
        """The threshold with the highest total."""
        totals = np.concatenate([[0.0], np.cumsum(self.gains)])
        last = np.concatenate([[True], self.scores[1:] != self.scores[:-1], [True]])  # equal scores cross as one
        totals[~last] = -np.inf
        found = int(np.argmax(totals))
        return float(self.scores[found - 1]) if found else float("inf")

    def normalised(self, total: float) -> float:
        lowest, highest = -self.costs["fnWeight"] * self.windows, self.costs["tpWeight"] * self.windows
        return 100 * (total - lowest) / (highest - lowest)


def gains(sets: list[Series], scores: list[Floats], costs: dict[str, float]) -> Gains:
    """Over all files, by the profile's costs."""
    parts = [_gains(series, score, costs) for series, score in zip(sets, scores, strict=True)]
    all_scores = np.concatenate([part.scores for part in parts])
    all_gains = np.concatenate([part.gains for part in parts])
    order = np.argsort(-all_scores, kind="stable")
    return Gains(all_scores[order], all_gains[order], sum(part.windows for part in parts), costs)


def _gains(series: Series, scores: Floats, costs: dict[str, float]) -> Gains:
    weights = _weights(series, costs)
    counts = np.arange(len(scores)) >= series.probation
    outside = counts & (series.windows < 0)
    all_scores, all_gains, windows = [scores[outside]], [weights[outside]], 0
    for number in range(series.windows.max() + 1):
        inside = np.flatnonzero(counts & (series.windows == number))
        if len(inside):
            falling = inside[np.argsort(-scores[inside], kind="stable")]
            best = np.maximum.accumulate(np.concatenate([[-costs["fnWeight"]], weights[falling]]))
            all_scores.append(scores[falling])
            all_gains.append(np.diff(best))
            windows += 1
    return Gains(np.concatenate(all_scores), np.concatenate(all_gains), windows, costs)


def _weights(series: Series, costs: dict[str, float]) -> Floats:
    """What a detection at each point is worth by itself."""
    position = np.full(len(series.values), FAR)
    earned = np.zeros(len(series.values), bool)
    for number in range(series.windows.max() + 1):
        inside = np.flatnonzero(series.windows == number)
        first, last = inside[0], inside[-1]
        width = last - first + 1
        position[inside] = -(last - inside + 1) / width
        position[last + 1 :] = np.arange(1, len(position) - last) / max(width - 1, 1)
        earned[inside] = True
    sigmoid = np.where(position >= FAR, -1.0, 2 / (1 + np.exp(STEEP * position)) - 1)
    return np.where(earned, sigmoid * costs["tpWeight"] / BEST, sigmoid * costs["fpWeight"])
