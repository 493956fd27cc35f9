"""Which points count: each once, in the order of time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.detection import Ints, Points


def newer(newest: Ints, points: Points) -> NDArray[np.bool_]:
    """The points that have a value and are newer than all of their series before them.

    `newest` holds, a series, the time of its newest point plus one (0: none yet), and is brought up to date.
    """
    return np.asarray(_newer(newest, points.series, points.times, points.values))


@compiled
def _newer(newest: Ints, series: Ints, times: Ints, values: Any) -> NDArray[np.bool_]:
    found = np.zeros(len(times), np.bool_)
    for i in range(len(times)):
        if times[i] >= newest[series[i]] and np.isfinite(values[i]):
            found[i] = True
            newest[series[i]] = times[i] + 1
    return found
