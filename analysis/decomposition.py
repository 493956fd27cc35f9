"""Seasonal decomposition by LOESS: STL (Cleveland and others, 1990, J. Off. Stat. 6:3), and MSTL (Bandara and others,
2021, arXiv:2107.13462) where day and week repeat. For what a person reads and for histories: milliseconds to seconds a
call, so nothing for each point of each series.
"""

from typing import Final, NamedTuple

import numpy as np
from statsmodels.tsa.seasonal import MSTL, STL

from analysis.detection import Floats, Ints

DAY_MS: Final = 86_400_000
WEEK_DAYS: Final = 7
CYCLES: Final = 2  # a period is believed in when the history holds it more than so many times
ROUNDS: Final = 3  # of looking for outliers, each as dear as a plain fit
JUMP: Final = (
    10  # smooth at every tenth of a period and interpolate between: 100 times as fast, and hardly another curve
)


class ShortHistory(Exception):
    """There are not more than two days of it."""


class Decomposition(NamedTuple):
    """Parts that add up to the values, each as long as these; `week` is zero for histories of up to two weeks."""

    trend: Floats
    day: Floats
    week: Floats
    rest: Floats

    def explain(self, index: int) -> str:
        """What the point at `index` is made of, for a person."""
        rests = np.delete(self.rest, index)
        rank = np.mean(np.abs(rests) < abs(self.rest[index]))
        parts = f"trend {self.trend[index]:.4g}, day {self.day[index]:+.4g}, week {self.week[index]:+.4g}"
        return f"{parts}, rest {self.rest[index]:+.4g} (further off than {rank:.1%} of the other points)"


def regular(times: Ints, values: Floats, bins_a_day: int) -> tuple[Ints, Floats]:
    """Means of equal bins without holes (these are interpolated), and the times (milliseconds) at which the bins begin.

    `times` rise; nan values count for nothing. ShortHistory when no value is left.
    """
    known = np.isfinite(values)
    if not known.any():
        raise ShortHistory("no point of the history has a value")
    width = DAY_MS // bins_a_day
    bins = times[known] // width
    index = bins - bins[0]
    sums, counts = np.bincount(index, values[known]), np.bincount(index)
    there = np.flatnonzero(counts)
    filled = np.interp(np.arange(len(counts)), there, sums[there] / counts[there])
    return (bins[0] + np.arange(len(counts))) * width, filled


def decompose(values: Floats, bins_a_day: int) -> Decomposition:
    """The parts of a regular series without holes. ShortHistory for up to two days."""
    periods = [period for period in (bins_a_day, bins_a_day * WEEK_DAYS) if len(values) > CYCLES * period]
    if not periods:
        raise ShortHistory(f"more than two days ({CYCLES * bins_a_day} bins) are needed; there are {len(values)} bins")
    jump = max(1, bins_a_day // JUMP)
    options = {"seasonal_jump": jump, "trend_jump": jump, "low_pass_jump": jump, "seasonal_deg": 0, "robust": True}
    if len(periods) == 1:
        one = STL(values, period=bins_a_day, **options).fit(outer_iter=ROUNDS)
        return Decomposition(one.trend, one.seasonal, np.zeros(len(values)), one.resid)
    both = MSTL(values, periods=periods, stl_kwargs={**options, "outer_iter": ROUNDS}).fit()
    return Decomposition(both.trend, both.seasonal[:, 0], both.seasonal[:, 1], both.resid)
