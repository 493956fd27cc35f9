"""How old what is answered is: since when a record waits that a pipeline has not committed. Pure."""

from collections import deque
from typing import Final, NamedTuple

MOST_SEEN: Final = 512  # looks that are remembered of a partition; then every second one is forgotten


class Seen(NamedTuple):
    """At `time`, seconds of any clock that only grows, the log ended at this offset."""

    time: float
    end: int


class Waiting:
    """Of a pipeline and partition, by looks at the end of its log: exact to the time between two of them."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque()

    def seconds(self, committed: int, end: int, now: float) -> float:
        """Since the oldest record that is not committed was there; 0.0 when all are. To be called again and again."""
        if self._seen and end < self._seen[-1].end:
            self._seen.clear()  # another topic of the name
        if not self._seen or end > self._seen[-1].end:
            self._seen.append(Seen(now, end))
        while self._seen and self._seen[0].end <= committed:
            self._seen.popleft()
        if len(self._seen) > MOST_SEEN:
            # Of the two that become one the later end stays, with the earlier time: an age is never told too young.
            seen = list(self._seen)
            pairs = [seen[at : at + 2] for at in range(0, len(seen), 2)]
            self._seen = deque(Seen(pair[0].time, pair[-1].end) for pair in pairs)
        return now - self._seen[0].time if self._seen else 0.0
