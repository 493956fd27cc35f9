"""What becomes of a body when as many as are taken at once are under way: it is refused, after a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from api.asgi import Message
from api.collect import pause
from api.collect.bulk import AT_ONCE, BulkSender
from api.collect.bulk_parse import prepare_tags
from api.collect.collector import Collector
from api.collect.prepared import Prepared
from api.problems import Problem
from contracts.settings import Settings


class NoCollector:
    """Nothing is sent in these tests."""

    partitions = 1


@asynccontextmanager
async def busy() -> AsyncIterator[BulkSender]:
    """A sender that refuses what comes now."""

    async def slow() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    sender = BulkSender(cast(Collector, NoCollector()), Settings(), lambda: 0)
    under_way = [asyncio.create_task(sender.take({"headers": []}, slow, prepare_tags)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    yield sender
    await end(under_way)


async def end(tasks: list[asyncio.Task[Prepared]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_refused_body_is_read_to_its_end() -> None:
    """Else the server closes the connection, and the client finds a broken pipe instead of the answer."""
    left: list[Message] = [{"type": "http.request", "body": b"x", "more_body": more} for more in (False, True, True)]

    async def pieces() -> Message:
        return left.pop()

    async def run() -> None:
        async with busy() as sender:
            with pytest.raises(Problem) as refused:
                await sender.take({"headers": []}, pieces, prepare_tags)
            assert refused.value.status == 503

    asyncio.run(run())
    assert left == []


def test_a_refusal_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "PAUSE_SECONDS", 3600.0)

    async def body() -> Message:
        return {"type": "http.request", "body": b"x"}

    async def run() -> None:
        async with busy() as sender:
            refused = asyncio.create_task(sender.take({"headers": []}, body, prepare_tags))
            for _ in range(5):  # turns of the loop, of which an answer at once takes two
                await asyncio.sleep(0)
            assert not refused.done()
            await end([refused])

    asyncio.run(run())
