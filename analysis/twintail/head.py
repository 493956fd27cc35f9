"""What is kept of a series besides its templates: a record that each point rewrites."""

from typing import Final

import numpy as np

from analysis.twintail import memory, tail

# Deviation: how far is the point from what was foreseen?
STEP: Final = 0  # from the point before
LEVEL: Final = 1  # from the fast level
SEASON: Final = 2  # from the seasonal template
DEVIATIONS: Final = 3
# Novelty: has the value, the trend over a short and a longer while, the distance from the slow level, and the distance
# from the template been there before?
NOVELTIES: Final = 5
SEASON_NOVELTY: Final = 4

LEVELS: Final = 3  # fast, medium, slow
FAST: Final = 0
MEDIUM: Final = 1
SLOW: Final = 2

HEAD: Final = np.dtype(
    [
        ("newest", np.int64),  # time of the newest point plus one millisecond; 0 before the first
        ("first", np.int64),  # time of the first point
        ("seen", np.int64),
        ("interval", np.float64),  # between points, in milliseconds
        ("value", np.float64),
        ("levels", np.float64, (LEVELS,)),
        ("mean", np.float64),
        ("spread", np.float64),  # mean absolute deviation from the mean
        ("season_level", np.float64, (2,)),
        ("season_error", np.float64, (2,)),  # mean absolute residual of the templates
        ("season_seen", np.float64, (2,)),
        ("sizes", np.float64, (DEVIATIONS,)),  # mean sizes of the deviations
        ("counts", np.float64, (DEVIATIONS,)),
        ("tails", np.float64, (DEVIATIONS + NOVELTIES, tail.FIELDS)),
        ("memories", np.float64, (NOVELTIES, memory.FIELDS)),
        ("bits", np.uint64, (NOVELTIES, 2, memory.WORDS)),
        ("bar", np.float64),  # the novelty below which none is reported
        ("deviation_bar", np.float64),  # the same of deviations
    ]
)
