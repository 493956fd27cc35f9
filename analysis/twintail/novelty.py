"""The second channel: has anything like this been there lately?

Five views of the series, each with a memory of where it was; the distance to the nearest value remembered has a tail of
its own. An incident is new as long as it lasts, so novelty is reported when it is larger than what was reported before,
by this channel or the other, which is forgotten slowly.
"""

from typing import Any, Final

import numpy as np

from analysis.compiled import compiled
from analysis.twintail import memory, tail
from analysis.twintail.head import FAST, MEDIUM, NOVELTIES, SEASON_NOVELTY, SLOW

FLOOR: Final = 0.25  # cells
SMALLEST_SHARE: Final = 1e-9  # of the mean


@compiled
def score_and_learn(head: Any, x: float, from_template: float, deviated: float, time: int, o: Any) -> float:
    """The novelty to report. The levels hold x already; `from_template` is nan without a season. `deviated`: what the
    other channel says of x.
    """
    novelty = 0.0
    for view in range(NOVELTIES):
        seen = _seen(head, view, x, from_template)
        if np.isnan(seen):
            continue
        own, bits, own_tail = head.memories[view], head.bits[view], head.tails[-NOVELTIES + view]
        distance = memory.distance(own, bits, seen)
        floor = max(FLOOR * own[memory.WIDTH], SMALLEST_SHARE * abs(head.mean))
        novelty = max(novelty, tail.score(own_tail, distance, floor, o.novelty_share, o))
        tail.learn(own_tail, distance, floor, o.novelty_share, o.novelty_first, o)
        memory.remember(own, bits, seen, time, o)
    reported = novelty if novelty > head.bar else 0.0
    head.bar = max(novelty, deviated, head.bar - o.bar)
    return reported


@compiled
def _seen(head: Any, view: int, x: float, from_template: float) -> float:
    levels = head.levels
    if view == SEASON_NOVELTY:
        return from_template
    if view == 0:
        return x
    if view == 1:
        return float(levels[FAST] - levels[MEDIUM])
    if view == 2:
        return float(levels[FAST] - levels[SLOW])
    return float(x - levels[SLOW])
