"""Which hours rollups do not tell the whole of, remembered for a moment: it is asked with each hour's statistic."""

import threading
from collections.abc import Callable, Collection
from typing import Final

KEPT_SECONDS: Final = 0.5  # a part of the seconds after which a point counts


class TouchedHours:
    """For all threads of a process. `read` gives when rollups were last made, any number that only grows, and the hours
    that bins came to since, as ClickHouse has them; `clock` seconds of any beginning.

    What it remembers is never wrong for having become old: an hour that is in the rollups by now is read from bins all
    the same, and what came to another one since then is told a moment later.
    """

    def __init__(self, read: Callable[[], tuple[int, Collection[int]]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._reading = threading.Lock()
        self._known: tuple[float, int, Collection[int]] = (float("-inf"), 0, ())  # until when, the rollups, the hours

    def rolled(self, hour: int) -> int | None:
        """When the rollups were made that tell the whole of `hour` (epoch seconds); None when bins came to it that
        they may not know of, or another thread is asking, as nobody waits for it. Raises what `read` raises."""
        until, made, hours = self._known
        if self._clock() >= until:
            if not self._reading.acquire(blocking=False):
                return None
            try:
                began = self._clock()
                made, hours = self._read()
                self._known = began + KEPT_SECONDS, made, hours
            finally:
                self._reading.release()
        return None if hour in hours else made
