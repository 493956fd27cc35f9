"""Which histories are asked for together, and what happens when nobody answers."""

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from math import isnan
from typing import Any

import numpy as np
import pytest

from analysis.detection import Points
from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from contracts.series import Bin, Message, Progress
from contracts.settings_source import load
from contracts.times import DAY_MS, MINUTE_MS
from jobs import histories
from jobs.histories import Histories
from stores import clickhouse, history

START = 1_651_363_200_000  # 2022-05-01T00:00:00Z
PATIENCE = 120.0


class Past:
    """Stands for ClickHouse: what was looked up and read of it, by the hosts' names, and who has a history."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.was_read: list[set[str]] = []
        self.having: Callable[[dict[int, Any]], list[int]] = lambda _: []

    def look_up(self, client: object, lane: Lane, series: dict[int, Any], days: int) -> list[int]:
        self.asked.append(hosts(series))
        return self.having(series)

    def read(self, client: object, lane: Lane, series: dict[int, Any], days: int) -> Points:
        self.was_read.append(hosts(series))
        times = np.arange(START - 3 * DAY_MS, START, lane.resolution)
        parts = [(np.full(len(times), number), times, times % 7.0) for number in series]
        of_all, all_times, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return Points(of_all, all_times, values, all_times)


def hosts(series: dict[int, Any]) -> set[str]:
    return {one.labels["host"] for one in series.values()}


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> Past:
    past = Past()
    monkeypatch.setattr(clickhouse, "connect", lambda *_, **__: nullcontext())
    monkeypatch.setattr(history, "having", past.look_up)
    monkeypatch.setattr(history, "read", past.read)
    monkeypatch.setattr(histories, "RETRY_SECONDS", 0.0)
    return past


@pytest.fixture
def asking(past: Past) -> Iterator[Histories]:
    found: Histories = pickle.loads(pickle.dumps(Histories(load(), twintail.detector)))  # noqa: S301  # as Flink does
    found.open()
    yield found
    found.close()


def feed_of(firsts: dict[str, int], resolution: int = MINUTE_MS) -> Feed:
    """Series by host, that begin so many milliseconds after START."""
    feed = Feed(Lane("points", resolution), twintail.detector, 2000)
    bins: list[Message] = [
        Bin("load", {"host": host}, resolution, START + after, 5, 1, 1) for host, after in firsts.items()
    ]
    feed.take([*bins, Progress(0, 1, resolution, START + max(firsts.values()) + resolution, "points")])
    return feed


def next_minute(hosts: int, resolution: int) -> list[Message]:
    bins: list[Message] = [Bin("load", {"host": str(n)}, resolution, START + resolution, 5, 1, 1) for n in range(hosts)]
    return [*bins, Progress(0, 1, resolution, START + 2 * resolution, "points")]


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


def test_those_without_a_history_are_begun_by_hundreds(asking: Histories, past: Past) -> None:
    turn_until_asked(asking, feed_of({str(host): 0 for host in range(1200)}))
    assert [len(some) for some in past.asked] == [512, 512, 176]
    assert past.was_read == []


@pytest.mark.parametrize(("resolution", "at_once", "most"), [(MINUTE_MS, 2, 4), (30_000, 1, 2)])
def test_those_with_one_are_read_a_few_at_a_time_and_learnt_beside(
    asking: Histories, past: Past, monkeypatch: pytest.MonkeyPatch, resolution: int, at_once: int, most: int
) -> None:
    monkeypatch.setattr(histories, "READ", 2)
    monkeypatch.setattr(histories, "LEARNT", 4)
    past.having = lambda series: [number for number in series if number < 7]
    feed = feed_of({str(host): 0 for host in range(9)}, resolution)
    turn_until_asked(asking, feed)
    assert max(map(len, past.was_read)) == at_once
    assert sorted(host for some in past.was_read for host in some) == [str(host) for host in range(7)]
    assert len(past.asked[1]) == 7 - most, "what was not learnt is asked for again, what has no history is not"
    scored = [one for one in feed.take(next_minute(9, resolution)).stream if isinstance(one, ScoredBin)]
    assert [isnan(one.upper) for one in scored[:7]] == [False] * 7, "as they have seen days"


def test_without_an_answer_the_series_begin_without(asking: Histories, past: Past) -> None:
    def refuse(series: dict[int, Any]) -> list[int]:
        raise OSError("away")

    past.having = refuse
    turn_until_asked(asking, feed_of({str(host): 0 for host in range(20)}))
    assert [len(some) for some in past.asked] == [20, 20, 20, 16, 16] + [4] * histories.ATTEMPTS, "fewer, then without"
