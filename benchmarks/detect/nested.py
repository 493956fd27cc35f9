"""Choosing on one half of the series, scoring on the other, and the other way round: what a choice is worth."""

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np

from analysis.detection import Floats
from analysis.detectors.twintail import TwinTail
from analysis.twintail.options import Options
from benchmarks.detect.sets import Series

SEED: Final = 1
DRAWS: Final = 24
# From where constants are drawn: all that are not of mere convenience, around nothing in particular.
RANGES: Final[dict[str, tuple[float, ...]]] = {
    "fast": (0.2, 0.3, 0.5),
    "medium": (0.05, 0.1, 0.2),
    "slow": (0.01, 0.02, 0.04),
    "clip": (2.0, 4.0, 8.0),
    "ratio": (0.5, 0.6, 0.8),
    "warm_up": (100.0, 150.0),
    "deviation_share": (0.02, 0.03, 0.05),
    "novelty_share": (0.005, 0.01, 0.02),
    "tail_rate": (0.01, 0.02),
    "novelty_first": (2.5, 3.0, 5.0),
    "xi": (0.2, 0.25, 0.35, 0.5),
    "xi_rate": (0.0001, 0.0003, 0.001),
    "memory_days": (7.0, 14.0, 28.0),
    "deviation_bar": (0.1, 0.3, 1.0),
    "bar": (0.01, 0.02, 0.04),
}

T = TypeVar("T")
Choice = TypeVar("Choice")


def drawn() -> list[Options]:
    """Sets of constants, drawn at random by a fixed seed."""
    source = random.Random(SEED)  # noqa: S311  # a seeded sample, nothing secret
    return [Options(**{name: source.choice(values) for name, values in RANGES.items()}) for _ in range(DRAWS)]


def scores(options: Options, sets: Sequence[Series]) -> list[Floats]:
    """Of the default detector with these constants, 0 where it says nothing."""
    detector = TwinTail(options=options)
    found = []
    for series in sets:
        _, scored = detector.score(detector.start(1), series.points)
        found.append(np.nan_to_num(scored.score))
    return found


def halves(items: Sequence[T]) -> tuple[list[T], list[T]]:
    """Every other one."""
    return list(items[0::2]), list(items[1::2])


def across(
    sets: Sequence[Series],
    candidates: Sequence[list[Floats]],
    choose: Callable[[list[Series], list[Floats]], tuple[float, Choice]],
    judge: Callable[[list[Series], list[Floats], Choice], T],
) -> list[T]:
    """What each half is judged by the candidate, and the choice for it, that were best on the other.

    `choose` returns how good a candidate's scores are, and with what choice (a threshold).
    """
    found = []
    for chosen_on, judged_on in ((0, 1), (1, 0)):
        tried = [
            (*choose(halves(sets)[chosen_on], halves(candidate)[chosen_on]), number)
            for number, candidate in enumerate(candidates)
        ]
        _, choice, number = max(tried, key=lambda one: one[0])
        found.append(judge(halves(sets)[judged_on], halves(candidates[number])[judged_on], choice))
    return found
