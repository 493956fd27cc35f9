"""Seasonal decomposition of the last days, once a day: the plain old way, to compare with and to explain by.

Needs three days before it says anything, and keeps a week of bins in its state: not for thousands of live series.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri_exp
from scipy.stats import norm

from analysis.decomposition import DAY_MS, decompose
from analysis.detection import Floats, Ints, Points, Scores, State
from analysis.ordering import newer

SLOTS: Final = 96  # a day
DAYS: Final = 7  # that are kept
LEAST: Final = 3  # days before anything is said
THRESHOLD: Final = 9.0
SMALLEST: Final = 1e-9  # spread, as a share of the level: a series that repeats exactly has none
_MAD: Final = 1.4826  # standard deviations in a median absolute deviation, of a normal distribution
_SLOT: Final = np.dtype([("none", np.uint8)])
# `newest`: time of the newest point plus one; `day` of the fit; `bins`: the last value of each slot of each kept day,
# nan for none, by day mod DAYS; what the fit says: `season` of each slot, `trend` at its end, `spread` of what is left.
_HEAD: Final = np.dtype(
    [
        ("newest", np.int64),
        ("day", np.int64),
        ("bins", np.float32, (DAYS, SLOTS)),
        ("season", np.float32, (SLOTS,)),
        ("trend", np.float64),
        ("spread", np.float64),
    ]
)


class Stl:
    """Scores are -log10 of the probability of a normal residual as large, by the spread of those of the last week."""

    channels = ("rest",)

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold

    def at(self, threshold: float) -> "Stl":
        return Stl(threshold)

    def start(self, series: int) -> State:
        heads = np.zeros(series, _HEAD)
        heads["bins"] = np.nan
        heads["spread"] = np.nan
        return State(heads, np.zeros((0, series), _SLOT))

    def score(self, state: State, points: Points) -> tuple[State, Scores]:
        counted = newer(state.heads["newest"], points)
        scores = Scores.nothing(len(points.values))
        days = points.phases // DAY_MS
        for series in np.unique(points.series[counted]):
            mine = np.flatnonzero(counted & (points.series == series))
            for day in np.unique(days[mine]):
                today = mine[days[mine] == day]
                self._score_day(state.heads[series], int(day), points, scores, today)
        return state, scores

    def _score_day(self, head: Any, day: int, points: Points, scores: Scores, today: Ints) -> None:
        """The points at `today`, by the fit of the day before; then they are remembered."""
        if day != head["day"]:
            _forget(head, day)
            _fit(head, day)
            head["day"] = day
        slots = points.phases[today] % DAY_MS * SLOTS // DAY_MS
        values = points.values[today]
        expected = head["season"][slots] + head["trend"]
        reach = head["spread"] * -ndtri_exp(-(self.threshold + math.log10(2)) * math.log(10))
        scores.expected[today] = np.where(np.isfinite(head["spread"]), expected, np.nan)
        scores.lower[today], scores.upper[today] = expected - reach, expected + reach
        scores.score[today] = _surprise((values - expected) / head["spread"])
        head["bins"][day % DAYS, slots] = values

    def rows(self, points: Points) -> Ints:
        return np.empty(0, np.int64)


def _forget(head: Any, day: int) -> None:
    """The days that fell out of the week, and those without points."""
    for missed in range(max(int(head["day"]) + 1, day - DAYS + 1), day + 1):
        head["bins"][missed % DAYS] = np.nan


def _fit(head: Any, day: int) -> None:
    """By the days before; without enough of them there is no fit, and no score."""
    kept = np.concatenate([head["bins"][(day - back) % DAYS] for back in range(DAYS - 1, 0, -1)])
    known = np.flatnonzero(np.isfinite(kept))
    first = known[0] // SLOTS * SLOTS if len(known) else len(kept)
    cycles = (len(kept) - first) // SLOTS
    if cycles < LEAST:
        return
    parts = decompose(np.interp(np.arange(first, len(kept)), known, kept[known]), SLOTS)
    head["season"] = parts.day[-SLOTS:]
    head["trend"] = parts.trend[-1]
    # A mean of n leaves residuals of variance 1 - 1/n, and forecasts with errors of variance 1 + 1/n.
    spread = _MAD * float(np.median(np.abs(parts.rest))) * math.sqrt((cycles + 1) / (cycles - 1))
    head["spread"] = max(spread, SMALLEST * max(abs(float(parts.trend[-1])), 1.0))


def _surprise(z: Floats) -> NDArray[np.float64]:
    two_sided = norm.logsf(np.abs(z)) + math.log(2)
    return np.asarray(-two_sided / math.log(10))


detector = Stl()
