"""Histories of new series, asked of ClickHouse by a thread: scoring goes on meanwhile, and without an answer."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from analysis.detection import Points
from analysis.watch.feed import Changes, Feed
from analysis.watch.history import NONE, with_quiet
from analysis.watch.lane import Lane
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from stores import clickhouse, history

SERIES_AT_ONCE: Final = 16  # a second of an operator's time, of two weeks of minutes
LOOKED_AT_ONCE: Final = 1000  # of which those begin at once that have no history anywhere
QUERY_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 30.0
ATTEMPTS: Final = 5  # then the series learn from what they see
MINUTES: Final = Lane("user-tags", MINUTE_MS)
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
        numbers = feed.live.unasked(LOOKED_AT_ONCE)
        counted = {one for one in numbers if feed.lane == MINUTES and history.is_counted(*feed.live.names[one])}
        known = sorted(counted)[:SERIES_AT_ONCE]
        if known:
            series = {one: (*feed.live.names[one], feed.live.first(one)) for one in known}
            self._questions[key] = Question(known, self._thread.submit(self._read, series))
        unknown = [one for one in numbers if one not in counted]
        return feed.begin(unknown, NONE) if unknown else {}

    def _failed(self, key: Any, feed: Feed, numbers: list[int], error: Exception) -> Changes:
        logger.warning("no histories of %d series: %s", len(numbers), error)
        self._not_before = time.monotonic() + RETRY_SECONDS
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] < ATTEMPTS:
            return {}
        del self._failures[key]
        return feed.begin(numbers, NONE)

    def _read(self, series: dict[int, tuple[str, dict[str, str], int]]) -> Points:
        """In the thread. `series`: metric, labels and first bin by number."""
        firsts = {number: first for number, (_, _, first) in series.items()}
        begin = min(firsts.values()) - self._settings.detection.history_days * DAY_MS
        wanted = [(metric, history.label_of(labels)) for metric, labels, _ in series.values()]
        with clickhouse.connect(self._settings, timeout=QUERY_SECONDS) as client:
            pasts = history.user_tags(client, wanted, max(begin, 0), max(firsts.values()))
        return with_quiet(dict(zip(series, pasts, strict=True)), firsts, MINUTE_MS)
