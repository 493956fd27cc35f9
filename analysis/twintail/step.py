"""A batch of points through the detector, one at a time, many series a call."""

from typing import Any, Final

import numpy as np

from analysis.compiled import compiled
from analysis.twintail import deviation, novelty, season
from analysis.twintail.head import DEVIATIONS, LEVELS, MEDIUM, SLOW

MEAN_RATE: Final = 0.001
INTERVAL_STEP: Final = 0.05  # by which the sampling interval follows the newest distance in time


@compiled
def run(heads: Any, slots: Any, points: Any, scores: Any, wanted: float, o: Any) -> None:
    """Scores the points, then learns from each. `wanted`: the score at the edges of the band."""
    foreseen = np.empty(DEVIATIONS)
    for i in range(len(points.times)):
        series, time, phase, x = points.series[i], points.times[i], points.phases[i], points.values[i]
        head = heads[series]
        if time < head.newest or not np.isfinite(x):
            continue
        template = season.choose(head, slots, series, time, phase, o)
        usual = slots[season.row(template, phase), series].value if template != season.NONE else np.nan
        deviation.forecast(head, foreseen, time, usual, template, o)
        if head.seen > 0:
            expected = deviation.middle(foreseen)
            scores.expected[i] = expected
            edge = max(wanted, head.deviation_bar)
            scores.lower[i] = deviation.edge(head, foreseen, expected, edge, -1.0, o)
            scores.upper[i] = deviation.edge(head, foreseen, expected, edge, 1.0, o)
        deviated = deviation.score(head, foreseen, x, o)
        deviation.learn(head, foreseen, x, o)
        _follow(head, time, x, o)
        new = novelty.score_and_learn(head, x, x - usual, deviated, time, o)
        season.learn(head, slots, series, phase, x, o)
        reported = deviated if deviated >= head.deviation_bar else 0.0
        head.deviation_bar = max(deviated, head.deviation_bar - o.deviation_bar)
        scores.score[i] = max(reported, new)
        scores.channel[i] = 1 if new > reported else 0


@compiled
def _follow(head: Any, time: int, x: float, o: Any) -> None:
    """Levels, spread and sampling interval take the point in."""
    share = 1 / (head.seen + 1)
    if head.seen == 0:
        head.first = time
    elif head.seen == 1:
        head.interval = time + 1 - head.newest
    else:
        off = (time + 1 - head.newest) / head.interval - 1
        head.interval *= 1 + max(-INTERVAL_STEP, min(INTERVAL_STEP, off))
    for level in range(LEVELS):
        rate = o.slow if level == SLOW else o.medium if level == MEDIUM else o.fast
        head.levels[level] += max(rate, share) * (x - head.levels[level])
    head.mean += max(MEAN_RATE, share) * (x - head.mean)
    head.spread += max(o.spread, share) * (abs(x - head.mean) - head.spread)
    head.value = x
    head.newest = time + 1
    head.seen += 1
