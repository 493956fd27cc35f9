"""Which records of a partition came before under the same key: of those within a day the first in the log counts.

What is remembered is a function of the log, never of a clock of ours: a job that was away for days, and a replay of
days within minutes, judge as one that was there. Times are those at which the collectors took a record in; a record may
stand in the log behind one that came in later, as a producer writes again what it got no answer for.
"""

from typing import Final, Protocol

from contracts.times import DAY_MS

ONCE_MS: Final = DAY_MS
DAYS: Final = 3  # whose keys are held: within a day of a record lie parts of its own day and of both its neighbours


class KeyState(Protocol):
    """A map in keyed state: when a record with this key came in."""

    def get(self, key: str) -> int | None: ...
    def put(self, key: str, value: int) -> None: ...
    def clear(self) -> None: ...


class DayState(Protocol):
    """A map in keyed state, from the number of a `KeyState` to the day that it holds."""

    def get(self, key: int) -> int | None: ...
    def put(self, key: int, value: int) -> None: ...


class Remembered:
    """The keys of three days in three maps that take turns: one that gets another day is emptied, so there are never
    more. A day from a clock that is wrong displaces one day, not all of them."""

    def __init__(self, days: DayState, keys: list[KeyState]) -> None:
        """`keys`: DAYS of them."""
        self._days = days
        self._keys = keys

    def came_before(self, key: str, arrived: int) -> bool:
        """Whether a record with this key, which came in within a day of it, stands before it in the log; if none does
        it is remembered itself. `arrived` in epoch milliseconds."""
        day = arrived // DAY_MS
        for near in (day, day - 1, day + 1):
            first = self._keys[near % DAYS].get(key) if self._days.get(near % DAYS) == near else None
            if first is not None and abs(arrived - first) < ONCE_MS:
                return True
        if self._days.get(day % DAYS) != day:
            self._keys[day % DAYS].clear()
            self._days.put(day % DAYS, day)
        self._keys[day % DAYS].put(key, arrived)
        return False
