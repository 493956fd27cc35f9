"""The memory of a novelty channel against a list of all values."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.detection import Floats
from analysis.twintail import memory
from analysis.twintail.options import Options

DAY_MS = 86_400_000
values = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


def remember(seen: list[float], times: list[int]) -> tuple[Floats, memory.Bits]:
    row, bits = np.zeros(memory.FIELDS), np.zeros((2, memory.WORDS), np.uint64)
    for value, time in zip(seen, times, strict=True):
        memory.remember(row, bits, value, time, Options())
    return row, bits


@given(values, st.floats(-2e6, 2e6))
def test_the_distance_is_that_to_the_nearest_value_within_a_cell(seen: list[float], asked: float) -> None:
    row, bits = remember(seen, [0] * len(seen))
    found, exact = memory.distance(row, bits, asked), min(abs(asked - value) for value in seen)
    cell = row[memory.WIDTH]
    assert abs(found - exact) <= 1.5 * cell + 1e-9 * max(map(abs, [*seen, asked]))


@given(values)
def test_what_was_seen_is_at_no_distance(seen: list[float]) -> None:
    row, bits = remember(seen, [0] * len(seen))
    rounding = 1e-9 * max(map(abs, seen))  # a value on the border of two cells
    assert all(memory.distance(row, bits, value) <= 0.5 * row[memory.WIDTH] + rounding for value in seen)


def test_what_was_not_seen_for_long_is_new_again() -> None:
    days = int(Options().memory_days)
    seen = [0.0, 100.0, *([50.0] * (2 * days))]
    times = [0, 0, *(day * DAY_MS for day in range(1, 2 * days + 1))]
    row, bits = remember(seen, times)
    assert memory.distance(row, bits, 50.0) == 0
    assert memory.distance(row, bits, 100.0) > 40


def test_before_anything_was_seen_nothing_is_new() -> None:
    row, bits = remember([], [])
    assert memory.distance(row, bits, 7.0) == 0
