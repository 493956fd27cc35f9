"""A picture of a scored series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from analysis.detection import Scores
    from cli.series_file import SeriesFile


def draw(path: Path, title: str, series: SeriesFile, scores: Scores, threshold: float) -> None:
    """Above the values with what was expected and the anomalies in red, below the scores. Times are UTC."""
    order = np.argsort(series.times, kind="stable")
    times = np.array(series.times, "datetime64[ms]")[order]
    values, found = np.array(series.values)[order], scores.score[order] >= threshold
    figure = Figure(figsize=(14, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    above.fill_between(times, scores.lower[order], scores.upper[order], color="C0", alpha=0.2, lw=0, label="band")
    above.plot(times, scores.expected[order], color="C0", lw=0.8, label="expected")
    above.plot(times, values, color="0.2", lw=0.8, label="value")
    above.plot(times[found], values[found], "o", color="C3", ms=4, label="anomaly")
    above.set_title(f"{title}: {found.sum()} anomalies in {len(values)} points")
    above.legend(loc="upper left")
    below.plot(times, scores.score[order], color="0.2", lw=0.8)
    below.axhline(threshold, color="C3", lw=0.8)
    below.set_ylabel("score")
    figure.savefig(path, dpi=100)
