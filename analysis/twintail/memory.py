"""Which values were there lately? A row of cells over the range of all that was seen, a bit each, in two generations.

A value sets its cell's bit in the younger generation; when that is half as old as the memory shall last, it becomes the
elder, and the elder is forgotten. A value beyond the range doubles it, until it fits: pairs of cells become one.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.detection import Floats

# A memory is a row of numbers, and the bits of its cells: (2 generations, WORDS).
BEGUN: Final = 0  # 0: nothing was seen yet
ORIGIN: Final = 1  # where cell 0 begins; while there is no width, the only value seen
WIDTH: Final = 2  # of a cell
SINCE: Final = 3  # milliseconds: when the younger generation began
FIELDS: Final = 4

WORDS: Final = 4
CELLS: Final = 64 * WORDS
FIRST_RANGE: Final = 4.0  # distances between the first two values
HALF_DAY_MS: Final = 43_200_000.0  # a generation is half of what is remembered
_ONE: Final = np.uint64(1)

Bits = NDArray[np.uint64]


@compiled
def distance(memory: Floats, bits: Bits, x: float) -> float:
    """From x to the nearest cell that was visited, at least half a cell; 0 in such a cell, and before all else."""
    if memory[BEGUN] == 0:
        return 0.0
    if memory[WIDTH] == 0:
        return float(abs(x - memory[ORIGIN]))
    place = (x - memory[ORIGIN]) / memory[WIDTH]
    inside = max(0, min(CELLS - 1, math.floor(max(-1.0, min(place, float(CELLS))))))
    if 0 <= place < CELLS and _visited(bits, inside):
        return 0.0
    below = _nearest(bits, inside, -1) if place >= 0 else -1
    above = _nearest(bits, inside, 1) if place < CELLS else CELLS
    cells = min(
        place - (below + 1) if below >= 0 else np.inf,
        above - place if above < CELLS else np.inf,
    )
    return float((max(cells, 0.0) + 0.5) * memory[WIDTH])


@compiled
def _visited(bits: Bits, cell: int) -> bool:
    word = bits[0, cell >> 6] | bits[1, cell >> 6]
    return bool((word >> np.uint64(cell & 63)) & _ONE)


@compiled
def _nearest(bits: Bits, cell: int, step: int) -> int:
    """The first visited cell from `cell` on by `step`; -1 or CELLS when there is none. Jumps over empty words."""
    while 0 <= cell < CELLS:
        if bits[0, cell >> 6] | bits[1, cell >> 6] == 0:
            cell = ((cell >> 6) + 1) * 64 if step > 0 else (cell >> 6) * 64 - 1
        elif _visited(bits, cell):
            return cell
        else:
            cell += step
    return CELLS if step > 0 else -1


@compiled
def remember(memory: Floats, bits: Bits, x: float, time: int, o: Any) -> None:
    """Sets x's cell; `time` (milliseconds) tells when a generation is over."""
    if memory[BEGUN] == 0:
        memory[BEGUN], memory[ORIGIN], memory[SINCE] = 1, x, time
        return
    if memory[WIDTH] == 0:
        if x == memory[ORIGIN]:
            return
        _spread_out(memory, bits, x)
    while not 0 <= (x - memory[ORIGIN]) / memory[WIDTH] < CELLS:
        _double(memory, bits, x < memory[ORIGIN])
    if time - memory[SINCE] > o.memory_days * HALF_DAY_MS:
        memory[SINCE] = time
        bits[1] = bits[0]
        bits[0] = 0
    _set(bits, (x - memory[ORIGIN]) / memory[WIDTH])


@compiled
def _spread_out(memory: Floats, bits: Bits, x: float) -> None:
    """Cells around the only value seen until now and x, the second."""
    first = memory[ORIGIN]
    memory[WIDTH] = max(abs(x - first) * FIRST_RANGE / CELLS, np.finfo(np.float64).tiny)
    memory[ORIGIN] = min(x, first) - memory[WIDTH] * (CELLS // 2 - CELLS // 8)
    _set(bits, (first - memory[ORIGIN]) / memory[WIDTH])


@compiled
def _set(bits: Bits, place: float) -> None:
    cell = min(int(place), CELLS - 1)
    bits[0, cell >> 6] |= _ONE << np.uint64(cell & 63)


@compiled
def _double(memory: Floats, bits: Bits, downwards: bool) -> None:
    """The range becomes twice as large; what was there becomes its upper half if it grows downwards, else its lower."""
    for generation in bits:
        merged = np.zeros(WORDS, np.uint64)
        for cell in range(CELLS):
            if (generation[cell >> 6] >> np.uint64(cell & 63)) & _ONE:
                target = cell // 2 + (CELLS // 2 if downwards else 0)
                merged[target >> 6] |= _ONE << np.uint64(target & 63)
        generation[:] = merged
    if downwards:
        memory[ORIGIN] -= memory[WIDTH] * CELLS
    memory[WIDTH] *= 2
