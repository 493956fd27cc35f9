"""A load generator in closed loop: so many requests under way, each answer makes place for the next.

It shares the cores with what it measures, so it does little: requests are bytes made before, answers are counted.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import cycle
from typing import Final

from testbed.wire import Pool, Response

TIMEOUT: Final = 30.0  # seconds, of a call


class ClosedLoop:
    """Since the start: `taken` counts the answers with `status` by the place of their request, `refused` all others by
    status and text."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], status: int) -> None:
        self.taken: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self.latencies = array("d")  # in seconds, of the answers since `begin_counting`
        self._loop = asyncio.get_running_loop()
        self._host, self._port = host, port
        self._requests = cycle(enumerate(requests))
        self._status = status
        self._under_way = 0
        self._ending = False

    def start(self, connections: int) -> None:
        """Begins to send, over so many connections."""
        self._pool = Pool(self._host, self._port, connections, self._loop)
        for _ in range(connections):
            self._next()

    def begin_counting(self) -> None:
        """What came before was for warming up."""
        self.latencies = array("d")

    @property
    def answered(self) -> int:
        """How many were taken since the start."""
        return self.taken.total()

    async def stop(self) -> None:
        """Sends no more; returns when every call under way was answered."""
        self._ending = True
        while self._under_way:
            self._pool.give_up(self._loop.time())
            await asyncio.sleep(0.01)
        self._pool.close()

    def _next(self) -> None:
        self._under_way += 1
        place, request = next(self._requests)
        self._pool.call(request, TIMEOUT, partial(self._done, place, self._loop.time()))

    def _done(self, place: int, sent: float, response: Response) -> None:
        self._under_way -= 1
        if response.status == self._status:
            self.taken[place] += 1
            self.latencies.append(self._loop.time() - sent)
        else:
            self.refused[f"{response.status} {response.body[:200].decode('utf-8', 'replace')}"] += 1
        if not self._ending:
            self._next()
