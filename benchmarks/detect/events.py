"""Alarms against labelled incidents, as whoever is paged counts them.

An alarm is a run of points at or above the threshold, ended by `QUIET` points below it. It is right when one of its
points lies in an incident (a run of labelled points), which then is found; else it is false.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detect.sets import Series

Floats = NDArray[np.float64]
QUIET: Final = 10
CANDIDATES: Final = 30
SHARES: Final = (1e-6, 1e-2)  # of the points that lie above a candidate


class Count(NamedTuple):
    """Sums over series; `delays` in seconds from an incident's first point to its first alarm."""

    alarms: int = 0
    right: int = 0
    incidents: int = 0
    found: int = 0
    points_right: int = 0  # of all points of incidents that were found: "point-adjusted"
    points_false: int = 0
    points_missed: int = 0
    days: float = 0.0
    delays: tuple[float, ...] = ()

    def add(self, other: "Count") -> "Count":
        pairs: Iterator[tuple[Any, Any]] = zip(self, other, strict=True)
        return Count(*(mine + its for mine, its in pairs))

    @property
    def f1(self) -> float:
        """Of events: precision over alarms, recall over incidents."""
        precision = self.right / self.alarms if self.alarms else 0.0
        recall = self.found / self.incidents if self.incidents else 0.0
        return _harmonic(precision, recall)

    @property
    def adjusted_f1(self) -> float:
        """Of points, where all points of a found incident count as detected (Xu et al., 2018, arXiv:1802.03903)."""
        detected, positive = self.points_right + self.points_false, self.points_right + self.points_missed
        precision = self.points_right / detected if detected else 0.0
        return _harmonic(precision, self.points_right / positive if positive else 0.0)

    @property
    def false_a_day(self) -> float:
        """False alarms a series and day."""
        return (self.alarms - self.right) / self.days


def count(series: Series, scores: Floats, threshold: float, quiet: int = QUIET) -> Count:
    """One series at one threshold."""
    flagged = np.flatnonzero(scores >= threshold)
    labels = series.windows[flagged]
    labelled = np.flatnonzero(series.windows >= 0)
    _, begins, sizes = np.unique(series.windows[labelled], return_index=True, return_counts=True)
    found, first = np.unique(labels[labels >= 0], return_index=True)
    delays = (series.times[flagged[labels >= 0][first]] - series.times[labelled[begins[found]]]) / 1000
    alarm = np.cumsum(np.diff(flagged, prepend=-quiet - 1) > quiet) - 1
    alarms = int(alarm[-1]) + 1 if len(alarm) else 0
    right = len(np.unique(alarm[labels >= 0]))
    points_right = int(sizes[found].sum())
    return Count(
        alarms=alarms,
        right=right,
        incidents=len(sizes),
        found=len(found),
        points_right=points_right,
        points_false=int((labels < 0).sum()),
        points_missed=len(labelled) - points_right,
        days=series.days,
        delays=tuple(float(delay) for delay in delays),
    )


def total(sets: list[Series], scores: list[Floats], threshold: float) -> Count:
    """All series at one threshold."""
    result = Count()
    for series, score in zip(sets, scores, strict=True):
        result = result.add(count(series, score, threshold))
    return result


def best_threshold(sets: list[Series], scores: list[Floats]) -> float:
    """That of the highest event F1, of as many high quantiles of the scores as `CANDIDATES`."""
    shares = np.geomspace(*SHARES, CANDIDATES)
    candidates = np.unique(np.quantile(np.concatenate(scores), 1 - shares))
    candidates = candidates[candidates > 0]
    return float(max(candidates, key=lambda threshold: total(sets, scores, threshold).f1))


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
