"""A load generator in open loop: calls are due by the clock, whatever became of those before.

Each connection carries a call at a time. One that is due while all are taken is never made: it counts as unsent.
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
TICK: Final = 0.001  # seconds between two looks at the clock, at least
GIVE_UP: Final = 0.5  # seconds between two looks for calls that took too long
SHED: Final = (429, 503)
PARTLY: Final = b"may "  # in a refusal that says that a part may have been taken


class OpenLoop:
    """Latencies in seconds from the moment a call was made. `taken`: how often each request was, by its place."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], status: int, connections: int) -> None:
        self.due = 0
        self.sent = 0
        self.taken: Counter[int] = Counter()
        self.accepted = array("d")  # latencies of the answers with `status`
        self.shed = array("d")  # of those with 429 or 503
        self.failed: Counter[str] = Counter()  # all others, by what was said: whether they were taken is not known
        self._loop = asyncio.get_running_loop()
        self._pool = Pool(host, port, connections, self._loop)
        self._requests = cycle(enumerate(requests))
        self._status = status
        self._under_way = 0

    async def run(self, rate: float, seconds: float) -> None:
        """So many calls a second; returns when the last that was made has been answered."""
        began = looked = self._loop.time()
        while (now := self._loop.time() - began) < seconds:
            wanted = int(now * rate) - self.due
            self.due += wanted
            while wanted and self._pool.has_room:
                self._send()
                wanted -= 1
            if began + now - looked > GIVE_UP:
                looked = began + now
                self._pool.give_up(looked)
            await asyncio.sleep(TICK)
        while self._under_way:
            self._pool.give_up(self._loop.time())
            await asyncio.sleep(GIVE_UP / 10)
        self._pool.close()

    def _send(self) -> None:
        self.sent += 1
        self._under_way += 1
        place, request = next(self._requests)
        self._pool.call(request, TIMEOUT, partial(self._done, place, self._loop.time()))

    def _done(self, place: int, made: float, response: Response) -> None:
        self._under_way -= 1
        latency = self._loop.time() - made
        if response.status == self._status:
            self.accepted.append(latency)
            self.taken[place] += 1
        elif response.status in SHED and PARTLY not in response.body:
            self.shed.append(latency)
        else:
            self.failed[f"{response.status} {response.body[:200].decode('utf-8', 'replace')}"] += 1
