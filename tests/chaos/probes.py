"""When the platform is right again: a tag sent now is acknowledged, and shows in its profile and in an aggregate."""

import asyncio
from itertools import count
from typing import Final
from zlib import crc32

import msgspec

from contracts.tags import UserTag, encode_tag
from testbed.oracle import epoch_ms
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery
from tests.chaos.http import Http
from tests.chaos.streams import Stream

EVERY: Final = 0.2  # seconds between two looks: the measure's grain


class Probes:
    """Each tag has a minute of its own, so an aggregate of one minute shows one tag."""

    def __init__(self, http: Http, stream: Stream, partitions: int) -> None:
        self._http, self._stream, self._partitions = http, stream, partitions

    async def until_right(self) -> None:
        """Returns when a tag of each partition has made its whole way; tags that fail are sent again, as others."""
        await asyncio.gather(*(self._follow(partition) for partition in range(self._partitions)))

    async def _follow(self, partition: int) -> None:
        tag = await self._send(partition)
        at = epoch_ms(tag.time)
        minute = AggregateQuery(at, at + MINUTE_MS, tag.action, ("COUNT",))
        while encode_tag(tag) not in (await self._ask(ProfileQuery(tag.cookie, at, at + 1).target())):
            await asyncio.sleep(EVERY)
        while not _counts_one(await self._ask(minute.target())):
            await asyncio.sleep(EVERY)

    async def _send(self, partition: int) -> UserTag:
        """The first one that is acknowledged."""
        while True:
            index, tag = self._next(partition)
            self._stream.send(index)
            response = await self._http.post("/user_tags", encode_tag(tag))
            if response.status == 204:
                self._stream.acknowledge(index)
                return tag
            await asyncio.sleep(EVERY)

    def _next(self, partition: int) -> tuple[int, UserTag]:
        for index in count(len(self._stream.fates)):
            tag = self._stream.traffic.tag(index)
            if crc32(tag.cookie.encode()) % self._partitions == partition:
                return index, tag
        raise AssertionError("count() never ends")

    async def _ask(self, target: str) -> bytes:
        """The answer; nothing when it failed."""
        response = await self._http.post(target)
        return response.body if response.status == 200 else b""


def _counts_one(answer: bytes) -> bool:
    return bool(answer) and msgspec.json.decode(answer)["rows"][0][-1] == "1"
