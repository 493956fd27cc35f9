"""Which histories are asked for together, and what happens when nobody answers."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from analysis.detection import Points
from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.history import NONE
from analysis.watch.lane import Lane
from contracts.series import Bin, Message, Progress
from contracts.settings_source import load
from contracts.times import DAY_MS, MINUTE_MS
from jobs import histories
from jobs.histories import Histories
from stores import clickhouse, history

START = 1_651_363_200_000  # 2022-05-01T00:00:00Z
PATIENCE = 10.0


class Past:
    """Stands for ClickHouse: what was asked of it, by the hosts' names, and its answer."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.answer: Callable[[], Points] = lambda: NONE

    def read(self, client: object, lane: Lane, series: dict[int, Any], days: int) -> Points:
        self.asked.append({one.labels["host"] for one in series.values()})
        return self.answer()


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> Past:
    past = Past()
    monkeypatch.setattr(clickhouse, "connect", lambda *_, **__: nullcontext())
    monkeypatch.setattr(history, "read", past.read)
    monkeypatch.setattr(histories, "RETRY_SECONDS", 0.0)
    return past


@pytest.fixture
def asking(past: Past) -> Iterator[Histories]:
    found = Histories(load())
    found.open()
    yield found
    found.close()


def feed_of(firsts: dict[str, int], resolution: int = MINUTE_MS) -> Feed:
    """Series by host, that begin so many milliseconds after START."""
    feed = Feed(Lane("points", resolution), twintail.detector, 100)
    bins: list[Message] = [
        Bin("load", {"host": host}, resolution, START + after, 5, 1, 1) for host, after in firsts.items()
    ]
    feed.take([*bins, Progress(0, 1, resolution, START + max(firsts.values()) + resolution, "points")])
    return feed


def turn_until_asked(asking: Histories, feed: Feed) -> None:
    deadline = time.monotonic() + PATIENCE
    while feed.live.unasked(1):
        assert time.monotonic() < deadline
        asking.turn("key", feed)
        time.sleep(0.001)


def test_one_question_is_of_series_that_began_together(asking: Histories, past: Past) -> None:
    """A series of years ago would make it read years of all others."""
    turn_until_asked(asking, feed_of({"a": 0, "b": 1000 * DAY_MS, "c": MINUTE_MS}))
    assert past.asked == [{"a", "c"}, {"b"}]


@pytest.mark.parametrize(("resolution", "most"), [(MINUTE_MS, 16), (10_000, 2)])
def test_so_many_are_begun_at_once(asking: Histories, past: Past, resolution: int, most: int) -> None:
    turn_until_asked(asking, feed_of({str(host): 0 for host in range(20)}, resolution))
    assert max(map(len, past.asked)) == most
    assert sum(map(len, past.asked)) == 20


def test_without_an_answer_the_series_begin_without(asking: Histories, past: Past) -> None:
    def refuse() -> Points:
        raise OSError("away")

    past.answer = refuse
    turn_until_asked(asking, feed_of({"a": 0}))
    assert past.asked == [{"a"}] * histories.ATTEMPTS
