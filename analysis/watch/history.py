"""Histories as points for a detector."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from analysis.detection import Floats, Ints, Points

NONE: Final = Points(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def with_quiet(bins: Mapping[int, tuple[Ints, Floats]], ends: Mapping[int, int], resolution: int) -> Points:
    """Points of all bins from the first that is there up to, and without, the one at `ends`: what is missing is zero.

    `bins`: begins, rising, and values by number of the series; times in milliseconds.
    """
    parts = [
        _filled(number, *bins[number], ends[number], resolution) for number in sorted(bins) if len(bins[number][0])
    ]
    return _joined(parts)


def as_known(bins: Mapping[int, tuple[Ints, Floats]], ends: Mapping[int, int]) -> Points:
    """Points of the bins that are there before the one at `ends`: of what is missing nothing is known."""
    parts = [
        (np.full(count, number), times[:count], values[:count])
        for number, (times, values) in sorted(bins.items())
        if (count := int(np.searchsorted(times, ends[number])))
    ]
    return _joined(parts)


def together(parts: Iterable[Points]) -> Points:
    """The points of some series and those of others."""
    return _joined([part[:3] for part in parts if len(part.times)])


def _joined(parts: Sequence[tuple[Ints, Ints, Floats]]) -> Points:
    if not parts:
        return NONE
    series, times, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Points(series, times, values, times)


def _filled(number: int, begins: Ints, values: Floats, end: int, resolution: int) -> tuple[Ints, Ints, Floats]:
    times = np.arange(begins[0], end, resolution)
    filled = np.zeros(len(times))
    places = (begins - begins[0]) // resolution
    there = places < len(times)
    filled[places[there]] = values[there]
    return np.full(len(times), number), times, filled
