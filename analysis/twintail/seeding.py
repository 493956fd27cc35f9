"""Templates from a history: a new series need not wait for days to go by.

LOESS sees all days at once and is not led astray by a bad one, so its templates are better than those that the first
days would leave; then the history runs through the detector as if it were live, for levels, sizes and tails.
"""

from typing import Final

import numpy as np

from analysis.decomposition import Decomposition, ShortHistory, decompose, regular
from analysis.detection import Floats, Ints, Points, State
from analysis.twintail.season import DAY_MS, DAYS, MOST_VISITS, SLOTS

BINS: Final = 48  # a day: at 5 minutes, two periods over some weeks take seconds
WIDTH_MS: Final = DAY_MS // BINS


def seed_templates(state: State, series: int, history: Points) -> State:
    """`state` with the templates of one series, which must be new, as its history has them; unchanged when that has
    not more than two days. `history`: the points of that series alone.
    """
    try:
        begins, values = regular(history.phases, history.values, BINS)
        parts = decompose(values, BINS)
    except ShortHistory:
        return state
    visits = min(len(values) // BINS, MOST_VISITS)
    state.heads["season_level"][series] = parts.trend[0]
    state.slots["value"][:SLOTS, series] = _finer(_cycle(parts.day, begins, BINS), SLOTS)
    state.slots["visits"][:SLOTS, series] = visits
    if _has_week(parts):
        week = _cycle(parts.day + parts.week, begins, BINS * DAYS)
        state.slots["value"][SLOTS:, series] = _finer(week, SLOTS * DAYS)
        state.slots["visits"][SLOTS:, series] = max(1, visits // DAYS)
    return state


def _has_week(parts: Decomposition) -> bool:
    return bool(np.any(parts.week))


def _cycle(part: Floats, begins: Ints, length: int) -> Floats:
    """The last full cycle of a seasonal part, from its own beginning (midnight, or that of the epoch's weekday)."""
    cycle = np.empty(length)
    cycle[begins[-length:] // WIDTH_MS % length] = part[-length:]
    return cycle


def _finer(cycle: Floats, slots: int) -> Floats:
    """By lines between the middles of its bins, going round."""
    middles = (np.arange(slots) + 0.5) / slots
    return np.interp(middles, (np.arange(len(cycle)) + 0.5) / len(cycle), cycle, period=1.0)
