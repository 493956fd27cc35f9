"""Statistics out of sums: what bins and rollups hold. Pure.

Variance and standard deviation are those of the population (divided by n), as numpy has them by default.
"""

import math
import re
from dataclasses import dataclass
from typing import Final

SUMMED: Final = ("average", "min", "max", "count", "sum", "variance", "stddev", "last")
_QUANTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?|100)")


@dataclass(frozen=True)
class Sums:
    """Of the points behind an answer; `count` 0 when there are none, and then the others mean nothing."""

    count: int
    sum: float
    min: float
    max: float
    sum_squares: float
    last: float


def of_sums(name: str, sums: Sums) -> float | None:
    """One of SUMMED; None without points, but for the count."""
    if name == "count":
        return sums.count
    if not sums.count:
        return None
    match name:
        case "average":
            return sums.sum / sums.count
        case "variance":
            return variance(sums)
        case "stddev":
            return math.sqrt(variance(sums))
        case _:
            value: float = getattr(sums, name)
            return value


def variance(sums: Sums) -> float:
    """Mean of squares less square of the mean; rounding never makes it negative.

    Of n points around m it is exact to about n * m^2 * 1e-16: of values far from 0 that hardly differ, nothing is left.
    """
    mean = sums.sum / sums.count
    return max(0.0, sums.sum_squares / sums.count - mean * mean)


def quantile_level(name: str) -> float | None:
    """0.999 of `p99.9`, 0.5 of `median`; None of what is no quantile."""
    if name == "median":
        return 0.5
    found = _QUANTILE.fullmatch(name)
    return float(found[1]) / 100 if found else None
