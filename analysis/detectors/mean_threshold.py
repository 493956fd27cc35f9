"""The mean of the last bins against a limit: the score is the mean, so the threshold is the limit.

Made for ratios, such as that of a new build's errors to the old one's: 1.25 on the mean of five bins says "a quarter
more than it should be, and not just for one bin".
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.detection import Floats, Ints, Points, Scores, State
from analysis.ordering import newer

BINS: Final = 5
MEAN_THRESHOLD: Final = 1.25
_SLOT: Final = np.dtype([("none", np.uint8)])


class MeanThreshold:
    """Points that bring the mean of their series' last `bins` bins to `threshold` or above are anomalies.

    A bin without a value is left out. There is no score until `bins` bins were seen. Nothing is expected; the band's
    upper edge is the value that would have brought the mean to the threshold.
    """

    channels = ("mean",)

    def __init__(self, threshold: float = MEAN_THRESHOLD, bins: int = BINS) -> None:
        self.threshold = threshold
        self._bins = bins
        # `time`: of the newest point plus one. `last`: a ring of which `seen` mod bins is the oldest.
        self._head = np.dtype([("time", np.int64), ("seen", np.int64), ("last", np.float64, (bins,))])

    def at(self, threshold: float) -> "MeanThreshold":
        return MeanThreshold(threshold, self._bins)

    def start(self, series: int) -> State:
        return State(np.zeros(series, self._head), np.zeros((0, series), _SLOT))

    def score(self, state: State, points: Points) -> tuple[State, Scores]:
        counted = newer(state.heads["time"], points)
        scores = Scores.nothing(len(points.values))
        _means(state.heads, points.series, points.values, counted, scores.score, scores.upper, self.threshold)
        return state, scores

    def rows(self, points: Points) -> Ints:
        return np.empty(0, np.int64)


@compiled
def _means(
    heads: NDArray[Any],
    series: Ints,
    values: Floats,
    counted: NDArray[np.bool_],
    score: Floats,
    upper: Floats,
    threshold: float,
) -> None:
    for i in np.flatnonzero(counted):
        head = heads[series[i]]
        bins = len(head.last)
        head.last[head.seen % bins] = values[i]
        head.seen += 1
        if head.seen >= bins:
            score[i] = head.last.mean()
            upper[i] = bins * threshold - (head.last.sum() - values[i])


detector = MeanThreshold()
