"""The default detector: two channels, deviation and novelty, each calibrated by a tail that is learnt as it goes.

docs/detection.md describes it. Any series, at any interval from seconds to hours, without a history; a score says how
improbable the point is: 5 is one in a hundred thousand.
"""

from typing import Final

import numpy as np

from analysis.detection import Ints, Points, Scores, State
from analysis.twintail import season, step
from analysis.twintail.head import HEAD
from analysis.twintail.options import Options

THRESHOLD: Final = 4.25


class TwinTail:
    """Outside of the band a point is an anomaly by deviation alone; inside of it, it can be one by being new."""

    channels: tuple[str, ...] = ("deviation", "novelty")

    def __init__(self, threshold: float = THRESHOLD, options: Options | None = None) -> None:
        self.threshold = threshold
        self._options = options or Options()

    def at(self, threshold: float) -> "TwinTail":
        return TwinTail(threshold, self._options)

    def start(self, series: int) -> State:
        return State(np.zeros(series, HEAD), np.zeros((season.ROWS, series), season.SLOT))

    def score(self, state: State, points: Points) -> tuple[State, Scores]:
        scores = Scores.nothing(len(points.values))
        step.run(state.heads, state.slots, points, scores, self.threshold, self._options)
        return state, scores

    def seed(self, state: State, history: Points) -> State:
        """What is known of new series once their histories were seen; each has points of its own in `history`."""
        from analysis.twintail.seeding import seed_templates  # here: statsmodels takes seconds to import

        for series in np.unique(history.series):
            state = seed_templates(state, int(series), history.take(history.series == series))
        return self.score(state, history)[0]

    def rows(self, points: Points) -> Ints:
        return season.rows(points.phases)


detector = TwinTail()
