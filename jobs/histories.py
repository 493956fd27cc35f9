"""Histories of new series, asked of ClickHouse by a thread: scoring goes on meanwhile, and without an answer."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.exceptions import ClickHouseError

from analysis.detection import Seedable
from analysis.watch.feed import Changes, Feed, Learnt, learn
from analysis.watch.lane import Lane
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from stores import clickhouse, history

LOOKED_UP: Final = 512  # series that one question looks up; after one that failed, a quarter of it
LEARNT: Final = 128  # series of minutes that are begun with a history by one answer: some seconds of a core
READ: Final = 16  # of them, that are read at once: megabytes
QUERY_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 30.0
ATTEMPTS: Final = 5  # then the series learn from what they see
logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    """These series may begin, and what was learnt of the histories that some of them have."""

    numbers: list[int]
    learnt: list[Learnt]


class Question(NamedTuple):
    """Under way: the histories of some series, by their numbers."""

    numbers: list[int]
    answer: "Future[Answer]"


class Histories:
    """Begins the new series of feeds with their histories. A thread asks, and learns as well: what has no history, as
    most new series, is told by hundreds, the others a few at a time."""

    def __init__(self, settings: Settings, detector: Seedable) -> None:
        self._settings = settings
        self._detector = detector
        self._questions: dict[Any, Question] = {}
        self._failures: dict[Any, int] = {}
        self._not_before = 0.0  # of the monotonic clock

    def open(self) -> None:
        self._closing = Event()  # here: an operator is pickled before it is opened
        self._thread = ThreadPoolExecutor(1, "histories")

    def close(self) -> None:
        self._closing.set()
        self._thread.shutdown(cancel_futures=True)

    def turn(self, key: Any, feed: Feed) -> Changes:
        """What changes in the state of `feed`, which is known by `key`, for the answer that came; asks the next."""
        question = self._questions.get(key)
        if question is None:
            if time.monotonic() >= self._not_before:
                self._ask(key, feed)
            return {}
        if not question.answer.done():
            return {}
        del self._questions[key]
        try:
            answer = question.answer.result()
        except (ClickHouseError, OSError) as error:
            return self._failed(key, feed, question.numbers, error)
        self._failures.pop(key, None)
        changes = feed.begin(answer.numbers, answer.learnt)
        self._ask(key, feed)
        return changes

    def _ask(self, key: Any, feed: Feed) -> None:
        numbers = feed.live.unasked(max(READ, LOOKED_UP >> 2 * self._failures.get(key, 0)))
        if numbers:
            series = _near({one: history.New(*feed.live.names[one], feed.live.first(one)) for one in numbers})
            self._questions[key] = Question(list(series), self._thread.submit(self._read, feed.lane, series))

    def _failed(self, key: Any, feed: Feed, numbers: list[int], error: Exception) -> Changes:
        logger.warning("no histories of %d series: %s", len(numbers), error)
        self._not_before = time.monotonic() + RETRY_SECONDS
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] < ATTEMPTS:
            return {}
        del self._failures[key]
        return feed.begin(numbers, [])

    def _read(self, lane: Lane, series: dict[int, history.New]) -> Answer:
        """In the thread."""
        days, share = self._settings.detection.history_days, lane.resolution / MINUTE_MS
        with clickhouse.connect(self._settings, timeout=QUERY_SECONDS) as client:
            having = history.having(client, lane, series, days)
            begun, learnt = having[: max(1, int(LEARNT * share))], []
            size = max(1, int(READ * share))
            for at in range(0, len(begun), size):
                if self._closing.is_set():
                    break  # nobody wants the answer any more
                some = {number: series[number] for number in begun[at : at + size]}
                learnt.append(learn(self._detector, history.read(client, lane, some, days)))
        later = set(having) - set(begun)
        return Answer([number for number in series if number not in later], learnt)


def _near(series: dict[int, history.New]) -> dict[int, history.New]:
    """Those that began about when the first of them did: one question reads one stretch of time."""
    first = next(iter(series.values())).first
    return {number: one for number, one in series.items() if abs(one.first - first) <= DAY_MS}
