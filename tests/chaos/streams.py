"""What was sent, tag by tag, and what became of each as far as the sender knows.

Each stream has a time of its own, in which every tag has its own millisecond: a tag is known by its time wherever it
turns up, and one that turns up twice shows.
"""

from dataclasses import dataclass
from typing import Final

from testbed.generator import START_MS, Traffic

DAY_MS: Final = 86_400_000
NOT_SENT, UNKNOWN, ACKNOWLEDGED = range(3)


class Stream:
    """Tags of a traffic by index. Unknown: sent, and not acknowledged; such a tag may be there once, or not at all."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.fates = bytearray()  # by index

    @property
    def begin(self) -> int:
        """Epoch milliseconds of the first tag; those of all lie within `[begin, end)`."""
        return self.traffic.start_ms

    @property
    def end(self) -> int:
        return self.traffic.time(len(self.fates))

    def send(self, index: int) -> None:
        """Notes that the tag is on its way."""
        self.fates.extend(bytes(max(0, index + 1 - len(self.fates))))
        self.fates[index] = UNKNOWN

    def acknowledge(self, index: int) -> None:
        """Notes that it was answered as taken."""
        self.fates[index] = ACKNOWLEDGED


@dataclass
class SentRecord:
    """A record of the mixed stream: the malformed pieces in it, and the times of its tags. It is there as a whole, or
    not at all."""

    bad: list[bytes]
    times: list[int]
    acknowledged: bool = False


def main_traffic(seed: int, cookies: int) -> Traffic:
    """Of the driver: a minute of event time is 6,000 tags, so blocks of the log end often."""
    return Traffic(seed, START_MS + 420 * DAY_MS, cookies, step_ms=10)


def mixed_traffic(seed: int) -> Traffic:
    """Good tags among malformed bytes."""
    return Traffic(seed, START_MS + 410 * DAY_MS, 500, step_ms=10)


def probe_traffic(seed: int) -> Traffic:
    """A minute each, so that a tag is seen in an aggregate."""
    return Traffic(seed, START_MS + 400 * DAY_MS, 1_000, step_ms=60_000)
