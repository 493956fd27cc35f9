"""A fixed limit: the score is the value itself, so the threshold is the limit."""

from typing import Final

import numpy as np

from analysis.detection import Ints, Points, Scores, State
from analysis.ordering import newer

_HEAD: Final = np.dtype([("time", np.int64)])  # of the newest point, plus one: a new series has 0
_SLOT: Final = np.dtype([("none", np.uint8)])


class StaticThreshold:
    """Points at or above `threshold` are anomalies. Nothing is expected; the band's upper edge is the limit."""

    channels = ("value",)

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def at(self, threshold: float) -> "StaticThreshold":
        return StaticThreshold(threshold)

    def start(self, series: int) -> State:
        return State(np.zeros(series, _HEAD), np.zeros((0, series), _SLOT))

    def score(self, state: State, points: Points) -> tuple[State, Scores]:
        counted = newer(state.heads["time"], points)
        scores = Scores.nothing(len(points.values))
        scores.score[counted] = points.values[counted]
        scores.upper[counted] = self.threshold
        return state, scores

    def rows(self, points: Points) -> Ints:
        return np.empty(0, np.int64)


detector = StaticThreshold(threshold=1.0)
