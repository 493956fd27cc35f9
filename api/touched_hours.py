"""Which hours rollups do not tell the whole of, remembered for a moment: it is asked with each hour's statistic."""

import threading
from collections.abc import Callable, Collection
from typing import Final

KEPT_SECONDS: Final = 0.5  # a part of the seconds after which a point counts
KEPT_TIMES: Final = (
    10  # as long as asking took: at most a tenth of the time is spent with it, however many hours there are
)


class TouchedHours:
    """For all threads of a process. `read` gives the hours as ClickHouse has them; `clock` seconds of any beginning.

    What it remembers is never wrong for having become old: an hour that is in the rollups by now is read from bins all
    the same, and what came to another one since then is told a moment later.
    """

    def __init__(self, read: Callable[[], Collection[int]], clock: Callable[[], float]) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._hours: Collection[int] = ()
        self._until = float("-inf")

    def holds(self, hour: int) -> bool:
        """Whether bins came to this hour, epoch seconds, that rollups may not know of. Raises what `read` raises."""
        with self._lock:
            began = self._clock()
            if began >= self._until:
                self._hours = self._read()
                took = self._clock() - began
                self._until = began + max(KEPT_SECONDS, KEPT_TIMES * took)
            return hour in self._hours
