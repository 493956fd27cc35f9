"""When to stop taking events for a partition: when the broker keeps one waiting. Pure: time is passed in."""


class Breaker:
    """Watches the records of one partition that wait for their acknowledgement. Times in seconds, any one clock."""

    def __init__(self, limit: float) -> None:
        """Opens when the oldest unacknowledged record is older than `limit`."""
        self._limit = limit
        self._waiting: dict[int, float] = {}  # when each was sent, oldest first
        self._open = False

    def sent(self, record: int, now: float) -> None:
        """A record, by a number of its own, went to the broker."""
        self._waiting[record] = now

    def settled(self, record: int, acknowledged: bool, now: float) -> None:
        """A record was acknowledged, or given up."""
        self._waiting.pop(record, None)
        if acknowledged:
            self.answered(now)

    def answered(self, now: float) -> None:
        """The broker is there: closes, unless an old record still waits."""
        self._open = self._too_old(now)

    def is_open(self, now: float) -> bool:
        """Whether new events are to be refused."""
        self._open = self._open or self._too_old(now)
        return self._open

    def _too_old(self, now: float) -> bool:
        for sent in self._waiting.values():
            return now - sent > self._limit
        return False
