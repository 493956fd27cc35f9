"""Which hours rollups do not tell the whole of, remembered for a moment: it is asked with each hour's statistic."""

import threading
from collections.abc import Callable, Collection
from typing import Final

KEPT_SECONDS: Final = 0.5  # a part of the seconds after which a point counts


class TouchedHours:
    """For all threads of a process. `read` gives the hours as ClickHouse has them; `clock` seconds of any beginning.

    What it remembers is never wrong for having become old: an hour that is in the rollups by now is read from bins all
    the same, and what came to another one since then is told a moment later.
    """

    def __init__(self, read: Callable[[], Collection[int]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._reading = threading.Lock()
        self._known: tuple[float, Collection[int]] = (float("-inf"), ())  # until when, and the hours

    def holds(self, hour: int) -> bool:
        """Whether bins came to this hour, epoch seconds, that rollups may not know of; yes while another thread is
        asking, as nobody waits for it. Raises what `read` raises."""
        until, hours = self._known
        if self._clock() < until:
            return hour in hours
        if not self._reading.acquire(blocking=False):
            return True
        try:
            began = self._clock()
            hours = self._read()
            self._known = began + KEPT_SECONDS, hours
        finally:
            self._reading.release()
        return hour in hours
