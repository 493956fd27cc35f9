"""Histories of new series, asked of ClickHouse by a thread: scoring goes on meanwhile, and without an answer."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from analysis.detection import Points
from analysis.watch.feed import Changes, Feed
from analysis.watch.history import NONE
from analysis.watch.lane import Lane
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from stores import clickhouse, history

MINUTES_AT_ONCE: Final = 16  # series of minutes; a second of an operator's time, for two weeks of them
QUERY_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 30.0
ATTEMPTS: Final = 5  # then the series learn from what they see
logger = logging.getLogger(__name__)


class Question(NamedTuple):
    """Under way: the histories of some series, by their numbers."""

    numbers: list[int]
    answer: "Future[Points]"


class Histories:
    """Begins the new series of feeds with their histories, a few at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._questions: dict[Any, Question] = {}
        self._failures: dict[Any, int] = {}
        self._not_before = 0.0  # of the monotonic clock

    def open(self) -> None:
        self._thread = ThreadPoolExecutor(1, "histories")

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def turn(self, key: Any, feed: Feed) -> Changes:
        """What changes in the state of `feed`, which is known by `key`, for the answer that came; asks the next."""
        question = self._questions.get(key)
        if question is None:
            return self._ask(key, feed) if time.monotonic() >= self._not_before else {}
        if not question.answer.done():
            return {}
        del self._questions[key]
        try:
            points = question.answer.result()
        except (ClickHouseError, OSError) as error:
            return self._failed(key, feed, question.numbers, error)
        self._failures.pop(key, None)
        return feed.begin(question.numbers, points)

    def _ask(self, key: Any, feed: Feed) -> Changes:
        numbers = feed.live.unasked(max(1, MINUTES_AT_ONCE * feed.lane.resolution // MINUTE_MS))
        if numbers:
            series = _near({one: history.New(*feed.live.names[one], feed.live.first(one)) for one in numbers})
            self._questions[key] = Question(list(series), self._thread.submit(self._read, feed.lane, series))
        return {}

    def _failed(self, key: Any, feed: Feed, numbers: list[int], error: Exception) -> Changes:
        logger.warning("no histories of %d series: %s", len(numbers), error)
        self._not_before = time.monotonic() + RETRY_SECONDS
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] < ATTEMPTS:
            return {}
        del self._failures[key]
        return feed.begin(numbers, NONE)

    def _read(self, lane: Lane, series: dict[int, history.New]) -> Points:
        """In the thread."""
        with clickhouse.connect(self._settings, timeout=QUERY_SECONDS) as client:
            return history.read(client, lane, series, self._settings.detection.history_days)


def _near(series: dict[int, history.New]) -> dict[int, history.New]:
    """Those that began about when the first of them did: one question reads one stretch of time."""
    first = next(iter(series.values())).first
    return {number: one for number, one in series.items() if abs(one.first - first) <= DAY_MS}
