"""A plan of faults carried out on a running stack with traffic going on, and how long each recovery took."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import psutil

from contracts.settings import Settings
from testbed.driver import Driver, Load
from testbed.faults import EVERYTHING, Fault
from testbed.oracle import NEVER
from testbed.report import Report
from tests.chaos import evidence
from tests.chaos import stack as acts
from tests.chaos.http import Http
from tests.chaos.malformed import Records, Requests
from tests.chaos.probes import Probes
from tests.chaos.stack import Stack
from tests.chaos.streams import Stream, main_traffic, mixed_traffic, probe_traffic

PROMISE: Final = 60.0  # seconds from a kill, or the end of a pause, until answers are right again
LOOK: Final = 0.2  # seconds
STEADY: Final = 12.0  # seconds; Flink's heartbeats time out after 10
# Seconds for a tag to be seen when all is well: the counts of a minute are written every few seconds, and machines are
# busy. What takes longer was disturbed.
FRESH: Final = 10.0
GIVE_UP: Final = 240.0  # seconds for what the platform has to do by itself; longer than that, something is broken
# Seconds until an acknowledged tag must be seen while faults go on: what is promised after a hasty pair of them, the
# longest pause, and a flush.
GRACE: Final = PROMISE * 2 + 40.0


@dataclass(frozen=True)
class Mix:
    """Traffic: a second's tags, profile reads and aggregate queries, of so many cookies."""

    tags: float = 400.0
    profiles: float = 40.0
    aggregates: float = 1.0
    cookies: int = 20_000


@dataclass(frozen=True)
class Recovery:
    """`at` seconds of the run the fault struck. `seconds` from the kill, or the end of the pause, until a tag of each
    partition that was sent meanwhile was acknowledged and seen in its profile and in an aggregate, and it stayed so; of
    hasty faults all from the last."""

    fault: Fault
    at: float
    seconds: float

    def __str__(self) -> str:
        return f"[{self.at:6.1f} s] {self.fault}: right again after {self.seconds:.1f} s"


@dataclass
class Campaign:
    """What happened: to be judged by tests.chaos.verdict."""

    seed: int
    main: Stream
    mixed: Stream
    probes: Stream
    records: Records
    requests: Requests
    report: Report
    recoveries: list[Recovery] = field(default_factory=list)
    seconds: float = 0.0  # of traffic

    @property
    def streams(self) -> list[Stream]:
        return [self.main, self.mixed, self.probes]


class Runner:
    """Carries out a plan once; `tell` is called with a line of text for whatever happens.

    `steady`: seconds that all must have been well before a fault is overcome. `slow`: how many times as long as on a
    machine of its own all may take.
    """

    def __init__(
        self,
        stack: Stack,
        seed: int,
        mix: Mix,
        tell: Callable[[str], None],
        *,
        steady: float = STEADY,
        slow: float = 1.0,
    ) -> None:
        self._stack, self._tell, self._steady = stack, tell, steady
        self._give_up = GIVE_UP * slow
        settings = self._settings = stack.settings
        self._http = Http(settings, 16)
        self._driver = _driver(settings, seed, mix, GRACE * slow)
        mixed, probes = Stream(mixed_traffic(seed)), Stream(probe_traffic(seed))
        self._records = Records(settings, seed, mixed)
        self._requests = Requests(self._http, seed, mixed)
        self._probes = Probes(self._http, probes, settings.topics.user_tags.partitions)
        main = Stream(self._driver.traffic)
        self.campaign = Campaign(seed, main, mixed, probes, self._records, self._requests, self._driver.report)
        self._began = time.monotonic()
        self._struck: list[tuple[Fault, float]] = []  # that the platform has not recovered from yet

    async def run(self, plan: list[Fault], tags: int) -> Campaign:
        """All faults, and traffic until so many tags are acknowledged; returns when the jobs have read everything.

        TimeoutError when the platform does not recover.
        """
        try:
            await self._ready()
            await asyncio.wait_for(self._probes.until_right(), self._give_up)
            self._began = time.monotonic()
            await self._disturb(plan, tags)
            await self._end()
        finally:
            await self._driver.stop()
            self._http.close()
        return self.campaign

    async def _disturb(self, plan: list[Fault], tags: int) -> None:
        self._driver.start()
        others = [asyncio.create_task(self._records.run()), asyncio.create_task(self._requests.run())]
        try:
            for fault, after in zip(plan, [*plan[1:], None], strict=True):
                await self._strike(fault)
                if after is None or not after.hasty:
                    await self._recover()
            await _until(lambda: self._acknowledged() >= tags, self._give_up + tags, "the tags")
        finally:
            for task in others:
                task.cancel()
            ended = await asyncio.gather(*others, return_exceptions=True)
        for error in ended:
            if not isinstance(error, asyncio.CancelledError):
                raise RuntimeError("malformed bytes were not sent to the end") from error

    async def _strike(self, fault: Fault) -> None:
        await asyncio.sleep(fault.quiet)
        processes = await self._find(fault.target)
        self._tell(f"[{time.monotonic() - self._began:6.1f} s] {fault}")
        at = time.monotonic()
        if fault.action == "kill":
            # Of a part its own process alone, as the system does that is out of memory: what it started is left behind.
            victims = processes if fault.target == EVERYTHING else processes[:1]
            acts.kill(victims)
            await _until(lambda: all(map(acts.is_gone, victims)), self._give_up, "the end of what was killed")
        else:
            await acts.pause(processes, fault.pause)
            at = time.monotonic()
        self._struck.append((fault, at))

    async def _find(self, target: str) -> list[psutil.Process]:
        """The target's processes, as soon as there are any."""
        deadline = time.monotonic() + self._give_up
        while not (found := await asyncio.to_thread(self._stack.processes, target)):
            _check(deadline, f"a process of {target}")
            await asyncio.sleep(LOOK)
        return found

    async def _recover(self) -> None:
        """Waits until all has been well for so long: what ends that late was not over before.

        A part that is lost, or was away for long, may be missed by others only after their heartbeats' timeout; until
        then tags may make their way as if nothing had happened.
        """
        right = await self._right()
        while time.monotonic() < right + self._steady:
            asked = time.monotonic()
            again = await self._right()
            if again - asked > FRESH:
                right = again
        last = max(at for _, at in self._struck)  # nobody can be right again before the next fault struck
        for fault, at in self._struck:
            recovery = Recovery(fault, at - self._began, right - last)
            self.campaign.recoveries.append(recovery)
            self._tell(str(recovery))
        self._struck.clear()

    async def _right(self) -> float:
        """When the platform said that it is well, and tags sent then were seen."""
        await self._ready()
        await asyncio.wait_for(self._probes.until_right(), self._give_up)
        return time.monotonic()

    async def _ready(self) -> None:
        deadline = time.monotonic() + self._give_up
        while not await asyncio.to_thread(self._stack.is_ready):
            _check(deadline, "readiness")
            await asyncio.sleep(LOOK)

    def _acknowledged(self) -> int:
        return self._driver.report.tags.correct + self._driver.report.tags.late

    async def _end(self) -> None:
        """No more traffic; what is under way comes to its end, and the jobs to the end of the log."""
        self._driver.pause()
        self.campaign.seconds = time.monotonic() - self._began
        calls = (self.campaign.report.tags, self.campaign.report.profiles, self.campaign.report.aggregates)
        await _until(lambda: all(call.decided == call.sent for call in calls), self._give_up, "the last answers")
        await asyncio.to_thread(self._records.flush)
        for index in range(self._driver.sent):
            self.campaign.main.send(index)
            if self._driver.oracle.acknowledged(index) < NEVER:
                self.campaign.main.acknowledge(index)
        ends = await asyncio.to_thread(evidence.log_ends, self._settings)
        deadline = time.monotonic() + self._give_up
        while not await asyncio.to_thread(evidence.read_through, self._settings, ends):
            _check(deadline, "the end of the log")
            await asyncio.sleep(LOOK)


def _driver(settings: Settings, seed: int, mix: Mix, grace: float) -> Driver:
    load = Load(settings.host, settings.api.port, mix.tags, mix.profiles, mix.aggregates, token=settings.api.token)
    return Driver(load, main_traffic(seed, mix.cookies), grace)


async def _until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        _check(deadline, what)
        await asyncio.sleep(LOOK)


def _check(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"waited too long for {what}")
