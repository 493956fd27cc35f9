"""The driver: seeded traffic over HTTP at a fixed rate, every answer checked against the oracle.

Open loop: a call is due by the schedule whatever became of those before it, and its latency counts from when
it was due. A tag counts as settled ten seconds after its acknowledgement; questions are asked about settled
tags, and about times before the traffic.
"""

import asyncio
import gc
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from contracts.tags import encode_tag
from testbed.generator import Traffic
from testbed.judge import Difference
from testbed.oracle import GRACE, NEVER, Oracle
from testbed.queries import AggregateQuery, ProfileQuery
from testbed.questions import Questions
from testbed.report import Report, Tally
from testbed.wire import FAILED, Pool, Requests, Response

LATE: Final = 0.2  # seconds, for tags and profiles
LATE_AGGREGATES: Final = 60.0
GIVE_UP: Final = 20.0  # seconds until a late call is cut off; longer than the API waits for its broker
SWEEP_PROFILES: Final = 300
TICK: Final = 0.001  # seconds between two looks at the schedule, at least


@dataclass(frozen=True)
class Load:
    """What to send where: rates in calls a second; `token` empty: no authorisation."""

    host: str
    port: int
    rate: float = 1000.0
    profiles_per_second: float = 100.0
    aggregates_per_second: float = 1.0
    connections: int = 256
    token: str = ""


class Pace:
    """When the calls of one kind are due, in seconds of the monotonic clock: `seconds` long, evenly spread."""

    def __init__(self, per_second: float, begin: float, seconds: float) -> None:
        self._step = 1 / per_second if per_second else 0.0
        self._begin = begin
        self._number = 0
        self._last = per_second * seconds if per_second else 0.0

    @property
    def ended(self) -> bool:
        return self._number >= self._last

    def due(self, now: float) -> Iterator[float]:
        while not self.ended and (due := self._begin + self._number * self._step) <= now:
            self._number += 1
            yield due

    def shift(self, seconds: float) -> None:
        self._begin += seconds


class Driver:
    """Start it, pause and resume it, stop it; `report` is up to date all the while. For one event loop."""

    def __init__(self, load: Load, traffic: Traffic, grace: float = GRACE) -> None:
        self.load = load
        self.traffic = traffic
        self.oracle = Oracle(grace)
        self.report = Report(LATE, LATE_AGGREGATES)
        self.sent = 0  # tags
        self.settled = 0  # tags that every answer must know by now: a run from the first on
        self.newest_acknowledged = -1
        self._questions = Questions(traffic, self.oracle, traffic.seed)
        self._requests = Requests(load.host, load.port, load.token)
        self._pool = Pool(load.host, load.port, load.connections, asyncio.get_running_loop())
        self._decided = array("d")  # by tag: when its call came to an end, infinite before that
        self._paused_at: float | None = None
        self._stopped = False
        self._tasks: list[asyncio.Task[None]] = []
        self._began = 0.0

    def start(self, seconds: float = NEVER) -> None:
        """Begins to send, for so long; the collector of garbage rests meanwhile."""
        # A full collection walks every event that the oracle keeps, and would stop the schedule for 100 ms and more.
        gc.disable()
        self._began = time.monotonic()
        self._tags = Pace(self.load.rate, self._began, seconds)
        self._reads = Pace(self.load.profiles_per_second, self._began, seconds)
        self._queries = Pace(self.load.aggregates_per_second, self._began, seconds)
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._keep_house())]

    def pause(self) -> None:
        """Sends nothing from now on; what is under way goes on."""
        if self._paused_at is None:
            self._paused_at = time.monotonic()

    def resume(self) -> None:
        """Goes on where `pause` left off; the time between counts for nothing."""
        if self._paused_at is not None:
            for pace in (self._tags, self._reads, self._queries):
                pace.shift(time.monotonic() - self._paused_at)
            self._paused_at = None

    async def stop(self) -> None:
        """Ends the sending, and every call under way, which counts as neither right nor wrong. May be called twice."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._pool.close()
        gc.enable()

    async def run(self, seconds: float) -> Report:
        """A whole run: `seconds` of traffic, ten more until all is settled, then the last sweep."""
        self.start(seconds)
        try:
            await self._sending()
            await self.settle()
            await self.sweep()
        finally:
            await self.stop()
        return self.report

    async def settle(self) -> None:
        """Returns when every tag sent is settled: ten seconds after the last answer, at most GIVE_UP later."""
        while self.settled < self.sent:
            self._raise_failures()
            await asyncio.sleep(0.05)

    async def sweep(self) -> None:
        """Asks for every minute in total and a sample of the profiles, one after the other."""
        for query in self._questions.sweep(self.sent, SWEEP_PROFILES):
            now = time.monotonic()
            self.report.sweep.sent += 1
            response = await self.ask(query)
            self._judge(query, now, now, self.report.sweep, response)

    async def ask(self, query: ProfileQuery | AggregateQuery) -> Response:
        """One question outside of the schedule, not judged."""
        return await self._pool.get(self._requests.post(query.target()), LATE_AGGREGATES)

    async def _sending(self) -> None:
        """Returns when everything that was to be sent is on its way."""
        while not all(pace.ended for pace in (self._tags, self._reads, self._queries)):
            self._raise_failures()
            await asyncio.sleep(0.05)

    def _raise_failures(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()

    async def _send(self) -> None:
        while True:
            if self._paused_at is None:
                now = time.monotonic()
                for due in self._tags.due(now):
                    self._send_tag(due)
                for due in self._reads.due(now):
                    self._send_profile(due)
                for due in self._queries.due(now):
                    self._send_aggregates(due)
            await asyncio.sleep(TICK)

    async def _keep_house(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._advance(time.monotonic() - self.oracle.grace)
            self._pool.give_up(loop.time())
            await asyncio.sleep(0.1)

    def _advance(self, seen: float) -> None:
        settled, decided = self.settled, self._decided
        while settled < self.sent and decided[settled] < seen:
            settled += 1
        self.settled = settled
        self.report.logical_ms = settled * self.traffic.step_ms
        self.report.seconds = time.monotonic() - self._began
        self.report.unjudgeable = self._questions.unjudgeable

    def _send_tag(self, due: float) -> None:
        index = self.sent
        tag = self.traffic.tag(index)
        line = encode_tag(tag)
        self.oracle.send(tag, line)
        self._decided.append(NEVER)
        self.sent = index + 1
        self.report.tags.sent += 1
        self._pool.call(self._requests.post("/user_tags", line), GIVE_UP, partial(self._tag_answered, index, due))

    def _tag_answered(self, index: int, due: float, response: Response) -> None:
        now = time.monotonic()
        self._decided[index] = now
        if self._stopped:
            return
        if response.status == 204 and not response.body:
            self.oracle.acknowledge(index, now)
            self.newest_acknowledged = max(index, self.newest_acknowledged)
            self.report.tags.right(now - due)
        else:
            self.report.tags.refused(_reason(response), now - due, silent=response.status == FAILED)

    def _send_profile(self, due: float) -> None:
        query = self._questions.profile(self.settled)
        self._ask(query, due, self.report.profiles, GIVE_UP)

    def _send_aggregates(self, due: float) -> None:
        query = self._questions.aggregates(self.settled)
        self._ask(query, due, self.report.aggregates, LATE_AGGREGATES)

    def _ask(self, query: ProfileQuery | AggregateQuery, due: float, tally: Tally, timeout: float) -> None:
        tally.sent += 1
        asked = time.monotonic()
        request = self._requests.post(query.target())
        self._pool.call(request, timeout, partial(self._judge, query, asked, due, tally))

    def _judge(
        self, query: ProfileQuery | AggregateQuery, asked: float, due: float, tally: Tally, response: Response
    ) -> None:
        latency = time.monotonic() - due
        if self._stopped:
            return
        if response.status != 200:
            tally.refused(_reason(response), latency, silent=response.status == FAILED)
            return
        difference = self._check(query, response.body, asked)
        if difference is None:
            tally.right(latency)
        else:
            tally.mistaken(latency)
            self.report.differs(difference)

    def _check(self, query: ProfileQuery | AggregateQuery, answer: bytes, asked: float) -> Difference | None:
        if isinstance(query, ProfileQuery):
            return self.oracle.check_profile(query, answer, asked)
        return self.oracle.check_aggregates(query, answer, asked)


def _reason(response: Response) -> str:
    text = response.body.decode("utf-8", "replace")
    return f"{response.status} {text}" if response.status else text
