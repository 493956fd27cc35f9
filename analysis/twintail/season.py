"""What the time of day, and the time of the week, say of a value: two templates, each with a level of its own.

A template holds a value a slot of 5 minutes; what it foresees is that value plus its level, which follows the series
slowly. Of both, that which leaves less is used, once it has seen a whole period, and if it leaves little enough.
"""

from typing import Any, Final

import numpy as np

from analysis.compiled import compiled
from analysis.detection import Ints

DAY_MS: Final = 86_400_000
DAYS: Final = 7
SLOTS: Final = 288  # a day
ROWS: Final = SLOTS * (1 + DAYS)  # of slots: the day's, then the week's
SLOT: Final = np.dtype([("value", np.float32), ("visits", np.uint8)])
MOST_VISITS: Final = 255

NONE: Final = -1
TEMPLATES: Final = 2
TRUSTED: Final = 50  # points after which a template's mean residual is believed
ERROR_RATE: Final = 0.002


@compiled
def row(template: int, phase: int) -> int:
    """Of template 0 (day) or 1 (week), at a time of the wall's clock in milliseconds."""
    slot = phase % DAY_MS * SLOTS // DAY_MS
    return slot if template == 0 else SLOTS * (1 + phase // DAY_MS % DAYS) + slot


def rows(phases: Ints) -> Ints:
    """All rows that points of these times use."""
    slots = phases % DAY_MS * SLOTS // DAY_MS
    return np.asarray(np.unique(np.concatenate([slots, SLOTS * (1 + phases // DAY_MS % DAYS) + slots])))


@compiled
def choose(head: Any, slots: Any, series: int, time: int, phase: int, o: Any) -> int:
    """The template to use for this point, or NONE."""
    best, least = NONE, o.ratio * head.spread
    for template in range(TEMPLATES):
        period = DAY_MS if template == 0 else DAYS * DAY_MS
        known = slots[row(template, phase), series].visits > 0
        whole = time - head.first >= period and head.season_seen[template] > TRUSTED
        if known and whole and head.season_error[template] < least:
            best, least = template, head.season_error[template]
    return best


@compiled
def learn(head: Any, slots: Any, series: int, phase: int, x: float, o: Any) -> None:
    """Both templates take x in. What is far off counts only up to a bound, so that an incident leaves no trace."""
    for template in range(TEMPLATES):
        slot = slots[row(template, phase), series]
        if slot.visits == 0:
            slot.value = x - head.season_level[template]
        else:
            _correct(head, slot, template, x, o)
        if slot.visits < MOST_VISITS:
            slot.visits += 1


@compiled
def _correct(head: Any, slot: Any, template: int, x: float, o: Any) -> None:
    residual = x - slot.value - head.season_level[template]
    head.season_seen[template] += 1
    if head.season_seen[template] > TRUSTED:
        bound = o.clip * head.season_error[template]
        residual = max(-bound, min(bound, residual))
    error_rate = max(ERROR_RATE, 1 / head.season_seen[template])
    head.season_error[template] += error_rate * (abs(residual) - head.season_error[template])
    slot.value += max(o.day if template == 0 else o.week, 1 / (slot.visits + 1)) * residual
    head.season_level[template] += o.season_level * residual
