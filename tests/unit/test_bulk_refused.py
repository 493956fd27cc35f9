"""What becomes of a body when as many as are taken at once are under way."""

import asyncio
from typing import cast

import pytest

from api.asgi import Message
from api.collect.bulk import AT_ONCE, BulkSender
from api.collect.bulk_parse import prepare_tags
from api.collect.collector import Collector
from api.problems import Problem
from contracts.settings import Settings


class NoCollector:
    """Nothing is sent in these tests."""

    partitions = 1


def test_a_refused_body_is_read_to_its_end() -> None:
    """Else the server closes the connection, and the client finds a broken pipe instead of the answer."""
    left: list[Message] = [{"type": "http.request", "body": b"x", "more_body": more} for more in (False, True, True)]

    async def slow() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    async def pieces() -> Message:
        return left.pop()

    async def run() -> None:
        sender = BulkSender(cast(Collector, NoCollector()), Settings(), lambda: 0)
        under_way = [asyncio.create_task(sender.take({"headers": []}, slow, prepare_tags)) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await sender.take({"headers": []}, pieces, prepare_tags)
        assert refused.value.status == 503
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    asyncio.run(run())
    assert left == []
