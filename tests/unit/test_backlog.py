"""When a body is refused because those before it would keep the thread too long."""

import asyncio
import threading
import time
from typing import cast

import pytest

from api.asgi import Message, Receive
from api.collect.backlog import Backlog
from api.collect.bulk import BulkSender
from api.collect.collector import Collector
from api.collect.prepared import Bounds, Prepared
from api.problems import Problem
from contracts.settings import Settings
from tests.unit.test_bulk_refused import NoCollector

LARGE = b"x" * 40_000  # beyond what is read in the loop


def test_what_waits_is_weighed_by_what_the_thread_took() -> None:
    backlog = Backlog()
    for _ in range(100):
        backlog.entered(1000)
    assert (backlog.seconds, backlog.refuses) == (0.0, False)  # nobody knows yet
    backlog.took(1000, 0.0005)
    assert (round(backlog.seconds, 6), backlog.refuses) == (0.05, False)
    for _ in range(100):
        backlog.took(1000, 0.002)
    assert backlog.refuses
    for _ in range(60):
        backlog.left(1000)
    assert not backlog.refuses


def test_small_bodies_that_take_long_a_byte_do_not_make_large_ones_wait() -> None:
    backlog = Backlog()
    for _ in range(40):
        backlog.took(60, 0.0001)
    for _ in range(10):
        backlog.took(60_000, 0.002)
    for _ in range(4):
        backlog.entered(60_000)
    assert backlog.seconds == pytest.approx(0.008, rel=0.2)


def test_few_are_taken_however_long_they_are() -> None:
    backlog = Backlog()
    backlog.took(1, 1.0)
    for _ in range(3):
        backlog.entered(1_000_000)
        assert not backlog.refuses
    backlog.entered(1_000_000)
    assert backlog.refuses


def test_bodies_beyond_what_the_thread_can_soon_read_are_refused_and_later_ones_taken() -> None:
    free = threading.Event()

    def slow(_body: bytes, _now: int, _bounds: Bounds) -> Prepared:
        free.wait(30)
        time.sleep(0.05)  # each takes half the patience
        return Prepared(0, [], [], [])

    async def run() -> None:
        sender = BulkSender(cast(Collector, NoCollector()), Settings(), lambda: 0)
        free.set()
        await sender.take({"headers": []}, _body(), slow)
        free.clear()
        waiting = [asyncio.create_task(sender.take({"headers": []}, _body(), slow)) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await sender.take({"headers": []}, _body(), slow)
        assert refused.value.status == 503
        assert "more bulk requests come" in str(refused.value.detail)
        free.set()
        await asyncio.gather(*waiting)
        await sender.take({"headers": []}, _body(), slow)

    asyncio.run(run())


def test_a_body_that_was_being_received_is_refused_too() -> None:
    """The others have come while it did."""
    arrived = asyncio.Event()
    free = threading.Event()

    async def late() -> Message:
        await arrived.wait()
        return await _body()()

    def work(_body: bytes, _now: int, _bounds: Bounds) -> Prepared:
        free.wait(30)
        return Prepared(0, [], [], [])

    async def run() -> None:
        sender = BulkSender(cast(Collector, NoCollector()), Settings(), lambda: 0)
        sender._backlog.took(len(LARGE), 0.05)
        behind = asyncio.create_task(sender.take({"headers": []}, late, work))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(sender.take({"headers": []}, _body(), work)) for _ in range(4)]
        await asyncio.sleep(0)
        arrived.set()
        paused = 0
        while not behind.done():
            paused = max(paused, sender._pause.waiting)
            await asyncio.sleep(0.001)
        assert paused == 1
        with pytest.raises(Problem, match="more bulk requests come"):
            await behind
        free.set()
        await asyncio.gather(*waiting)

    asyncio.run(run())


def _body() -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": LARGE, "more_body": False}

    return receive
