"""The constants of the detector."""

from typing import NamedTuple


class Options(NamedTuple):
    """Rates are shares of the way to a new point, a point; ratios and scores have no unit. Chosen on labelled sets by
    `benchmarks/detection.py`, which also says how much they matter.
    """

    # Levels: exponentially weighted means, from fast to slow.
    fast: float = 0.3
    medium: float = 0.1
    slow: float = 0.02
    scale: float = 0.01  # of the mean size of a feature
    spread: float = 0.002  # of the series' mean absolute deviation

    # Seasonal templates.
    day: float = 0.15  # a visit of a slot
    week: float = 0.2
    season_level: float = 0.01
    clip: float = 4.0  # mean absolute residuals: a larger one is learnt from as if it were so large
    ratio: float = 0.6  # of what the template leaves to the series' whole spread: below it, the template is used

    # Tails.
    warm_up: float = 150.0  # points of a feature before it is judged
    deviation_share: float = 0.03  # of the deviations that lie in their tail
    novelty_share: float = 0.005
    tail_rate: float = 0.01  # of its threshold, in logarithm
    tail_rate_begin: float = 10.0  # over points seen, while that is more
    deviation_first: float = 2.5  # first threshold, in mean sizes
    novelty_first: float = 3.0
    xi: float = 0.35  # first guess of the tail index, worth `xi_weight` points
    xi_weight: float = 10.0
    xi_rate: float = 0.0003  # at least, of an exceedance

    # What is reported: nothing below its bar, which rises to what is reported, and falls by so much a point.
    deviation_bar: float = 0.3
    bar: float = 0.02  # of novelty, which rises to deviations, too

    # Novelty.
    memory_days: float = 14.0  # what was not seen for so long is new
