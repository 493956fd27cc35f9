"""A tail that is learnt as it goes: how improbable is a value as large as x, whatever the distribution?

Above a high quantile q the tail is taken for a power law, P(X > x) = share (x / q)^(-1 / xi), in the way of
peaks-over-threshold methods (Siffer and others, 2017, "Anomaly Detection in Streams with Extreme Value Theory", KDD);
xi is Hill's estimator (Hill, 1975, Ann. Stat. 3:5), over as many exceedances as can be had: a few bad days must not
make the next incident seem usual. q follows its quantile by stochastic gradient steps in logarithm.
"""

import math
from typing import Any, Final

from analysis.compiled import compiled
from analysis.detection import Floats

# A tail is a row of numbers: threshold, tail index, points and exceedances seen.
Q: Final = 0
XI: Final = 1
SEEN: Final = 2
EXCEEDED: Final = 3
FIELDS: Final = 4

CAP: Final = 30.0  # the highest score: beyond it the power law says nothing
SMALLEST_XI: Final = 0.05
LARGEST_STEP: Final = 3.0  # an exceedance counts as at most so many indices


@compiled
def score(tail: Floats, x: float, floor: float, share: float, o: Any) -> float:
    """-log10 of the probability of a value of at least x; 0 in warm-up. Less than `floor` is no threshold.

    `share` of the values lie above the threshold. Below it the score is a line from 0: an order, no probability.
    """
    if tail[SEEN] < o.warm_up or x == 0:
        return 0.0
    q = max(tail[Q], floor)
    most = -math.log10(share)
    if x <= q:
        return float(most * x / q)
    return float(min(CAP, most + math.log10(x / q) / max(tail[XI], SMALLEST_XI)))


@compiled
def reach(tail: Floats, wanted: float, floor: float, share: float) -> float:
    """The x of that score, which is at least that of the threshold."""
    above = max(0.0, wanted + math.log10(share))
    return float(max(tail[Q], floor) * 10.0 ** (above * max(tail[XI], SMALLEST_XI)))


@compiled
def learn(tail: Floats, x: float, floor: float, share: float, first: float, o: Any) -> None:
    """Takes x in. `first`: the threshold after warm-up, in means of x."""
    tail[SEEN] += 1
    if tail[SEEN] <= o.warm_up:
        tail[Q] += (x - tail[Q]) / tail[SEEN]
        if tail[SEEN] >= o.warm_up:
            tail[Q] *= first
            tail[XI] = o.xi
        return
    tail[Q] = max(tail[Q], floor)
    if tail[Q] == 0:
        tail[Q] = x  # nothing but zeros until now: what follows is measured by the first that is none
        return
    rate = max(o.tail_rate, o.tail_rate_begin / tail[SEEN])
    if x > tail[Q]:
        tail[EXCEEDED] += 1
        part = max(o.xi_rate, 1 / (tail[EXCEEDED] + o.xi_weight))
        tail[XI] += part * (min(math.log(x / tail[Q]), LARGEST_STEP * tail[XI]) - tail[XI])
        tail[Q] *= math.exp(rate * (1 - share))
    else:
        tail[Q] *= math.exp(-rate * share)
