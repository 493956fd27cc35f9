"""The metrics whose bins of ten seconds rules ask for, as an operator follows them while it runs.

What the topic `rules` says of bins holds from a minute after it was decided (`contracts/watched_bins.py`). So what was
read of it is all that there is to know for events of up to `KNOWN_MS` later; it is read again when such come near. A
job that catches up has events that are older, and need not look; none counts an event before it may know how.

It is no broadcast: after a start Flink reads that side by side with the points, so those of a backlog would be
counted before it is known what to count of them.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaException

from analysis.bin_counting import fine_bins
from analysis.bins import Fine
from contracts.settings import Settings
from contracts.watched_bins import LEAD_MS, from_records
from jobs import consumers

GROUP: Final = "tidewatch-metrics-rules"
# Less than the lead: writing takes a moment, and clocks differ.
KNOWN_MS: Final = LEAD_MS * 3 // 4
LOOK_MS: Final = LEAD_MS // 2
RETRY_SECONDS: Final = 1.0
Read = Callable[[], Mapping[str, bytes]]
logger = logging.getLogger(__name__)


class Watched(NamedTuple):
    """What to count, and by what bytes a record is told that may name a metric with bins that are closed soon."""

    fine: Fine
    names: list[bytes]


class WatchedMetrics:
    """Those of the settings, and those that rules watch."""

    def __init__(self, settings: Settings, read: Read | None = None) -> None:
        """`read`: the newest value of each key of the topic `rules`; KafkaException when it is not known."""
        self._jobs = settings.jobs
        self._read = read or (lambda: consumers.newest(settings, settings.topics.rules, GROUP))
        self._watched = Watched({}, [])
        self._look_from = self._known_until = -1  # event times
        self._rest_until = 0.0  # monotonic
        self._answered = False  # the last time that the topic was read

    def at(self, event_time: int) -> Watched:
        """What is in force for a record of this time (epoch milliseconds) and all before it. Waits when that cannot be
        known: until the broker tells."""
        if event_time >= self._look_from:
            self._look(event_time)
        return self._watched

    def _look(self, event_time: int) -> None:
        # Times ahead of our clock would have us read the topic for each record.
        if time.monotonic() < self._rest_until and (self._answered or event_time < self._known_until):
            return
        while not self._ask() and event_time >= self._known_until:
            time.sleep(RETRY_SECONDS)

    def _ask(self) -> bool:
        now = time.time_ns() // 1_000_000  # before it is read
        try:
            records = self._read()
        except KafkaException as error:
            logger.warning("the topic of rules is not read, and tried again: %s", error)
            self._answered = False
        else:
            self._answered = True
            self._look_from, self._known_until = now + LOOK_MS, now + KNOWN_MS
            self._watched = self._of(records, now)
        self._rest_until = time.monotonic() + RETRY_SECONDS
        return self._answered

    def _of(self, records: Mapping[str, bytes], now: int) -> Watched:
        spans, problems = from_records(records)
        for problem in problems:
            logger.warning("bins are not counted: %s", problem)
        fine = fine_bins(self._jobs, spans)
        soon = [name for name, its in fine[10].items() if any(now < one.before for one in its)]
        return Watched(fine, [f'"{name}"'.encode() for name in soon])
