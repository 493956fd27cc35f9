"""The first channel: how surprising is the point, given what was foreseen?

Three forecasts: the point before, the fast level, the seasonal template. The distance from each, in its own mean size
lately, has a tail of its own; the channel is the mean of their scores. So a step that the season explains, or one that
is large but usual, says little.
"""

from typing import Any, Final

import numpy as np

from analysis.compiled import compiled
from analysis.detection import Floats
from analysis.twintail import season, tail
from analysis.twintail.head import DEVIATIONS, FAST, LEVEL, SEASON, STEP

FLOOR: Final = 1e-3  # smallest threshold of a tail, in mean sizes
SMALLEST_SIZE: Final = 0.02  # of the spread, and
SMALLEST_SHARE: Final = 1e-9  # of the mean: a series that is foreseen exactly has no size of its own
LARGEST: Final = 1e4  # mean sizes
SETTLED: Final = 20  # deviations after which their mean size is believed
CLIP: Final = 4.0  # mean sizes: a larger deviation adds to their mean as if it were so large
BISECTIONS: Final = 7
GAP: Final = 3.0  # sampling intervals


@compiled
def forecast(head: Any, foreseen: Floats, time: int, template_value: float, template: int, o: Any) -> None:
    """Writes what each foresees; nan where it does not: before all else, across a gap, without a season."""
    foreseen[:] = np.nan
    if head.seen > 0:
        foreseen[LEVEL] = head.levels[FAST]
        if time - head.newest <= GAP * head.interval:
            foreseen[STEP] = head.value
    if template != season.NONE:
        foreseen[SEASON] = template_value + head.season_level[template]


@compiled
def middle(foreseen: Floats) -> float:
    """The median of the forecasts that there are; that of the level is always there."""
    step, level, seasonal = foreseen[STEP], foreseen[LEVEL], foreseen[SEASON]
    if np.isnan(step) and np.isnan(seasonal):
        return float(level)
    if np.isnan(step):
        return float(0.5 * (level + seasonal))
    if np.isnan(seasonal):
        return float(0.5 * (level + step))
    return float(max(min(step, level), min(max(step, level), seasonal)))


@compiled
def score(head: Any, foreseen: Floats, x: float, o: Any) -> float:
    """The mean of the forecasts' scores; 0 without forecasts."""
    total, count = 0.0, 0
    for kind in range(DEVIATIONS):
        if not np.isnan(foreseen[kind]):
            total += tail.score(head.tails[kind], _size(head, kind, x - foreseen[kind]), FLOOR, o.deviation_share, o)
            count += 1
    return total / count if count else 0.0


@compiled
def _size(head: Any, kind: int, deviation: float) -> float:
    if deviation == 0:
        return 0.0
    return min(abs(deviation) / _unit(head, kind), LARGEST)


@compiled
def _unit(head: Any, kind: int) -> float:
    return float(max(head.sizes[kind], SMALLEST_SIZE * head.spread, SMALLEST_SHARE * abs(head.mean)))


@compiled
def learn(head: Any, foreseen: Floats, x: float, o: Any) -> None:
    """Sizes and tails take in how far off the forecasts were."""
    for kind in range(DEVIATIONS):
        if np.isnan(foreseen[kind]):
            continue
        deviation = abs(x - foreseen[kind])
        head.counts[kind] += 1
        bound = CLIP * _unit(head, kind) if head.counts[kind] > SETTLED else deviation
        if head.counts[kind] > SETTLED:
            size = _size(head, kind, deviation)
            tail.learn(head.tails[kind], size, FLOOR, o.deviation_share, o.deviation_first, o)
        head.sizes[kind] += max(o.scale, 1 / head.counts[kind]) * (min(deviation, bound) - head.sizes[kind])


@compiled
def edge(head: Any, foreseen: Floats, expected: float, wanted: float, side: float, o: Any) -> float:
    """From where on, above (`side` 1) or below (-1) `expected`, the channel's score is `wanted`; nan in warm-up.

    Where the forecasts disagree the score dips at each: the edge lies beyond the farthest dip that is below `wanted`.
    """
    near, first, far = -1.0, np.inf, 0.0
    if score(head, foreseen, expected, o) < wanted:
        near = 0.0
    for kind in range(DEVIATIONS):
        if not np.isnan(foreseen[kind]):
            if head.tails[kind, tail.SEEN] < o.warm_up:
                return np.nan
            off = side * (foreseen[kind] - expected)
            own = off + tail.reach(head.tails[kind], wanted, FLOOR, o.deviation_share) * _unit(head, kind)
            first, far = min(first, own), max(far, own)
            if off > near and score(head, foreseen, foreseen[kind], o) < wanted:
                near = off
    if near < 0:
        return expected
    if first > near and score(head, foreseen, expected + side * first, o) < wanted:
        near = first
    return expected + side * _crossing(head, foreseen, expected, wanted, side, near, far, o)


@compiled
def _crossing(
    head: Any, foreseen: Floats, expected: float, wanted: float, side: float, near: float, far: float, o: Any
) -> float:
    """How far from `expected` the score is `wanted`, between `near` (it is lower) and `far` (it is not)."""
    for _ in range(BISECTIONS):
        halfway = 0.5 * (near + far)
        if score(head, foreseen, expected + side * halfway, o) < wanted:
            near = halfway
        else:
            far = halfway
    return far
