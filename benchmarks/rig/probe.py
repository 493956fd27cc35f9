"""A few calls by the clock, from a process of their own, while others flood: what a client has to wait.

In a flood a call's answer waits for the generator, too, which fills a core by itself. This process does little and goes
before it, so what it measures is the collector's time and the network's.
"""

import asyncio
import multiprocessing
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple

import uvloop

from benchmarks.rig.open_loop import OpenLoop

CALLS: Final = 100.0  # a second: a fiftieth of what a slow machine takes
CONNECTIONS: Final = 200  # one is free for each call, though refusals wait for most of a second
NICE: Final = -10


class Seen(NamedTuple):
    """Latencies in seconds of the calls that were accepted and refused; `taken` and `failed` as of `OpenLoop`;
    `unsent`: the calls that were due while all connections were taken."""

    accepted: Sequence[float]
    shed: Sequence[float]
    taken: Counter[int]
    failed: Counter[str]
    unsent: int


class Probe:
    """The process, which takes a second to start: so it stands before the calls begin."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], status: int) -> None:
        self._target = (host, port, requests, status)
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _give_precedence)

    async def start(self) -> None:
        """Returns when it could call."""
        await asyncio.get_running_loop().run_in_executor(self._pool, os.getpid)

    async def run(self, seconds: float) -> Seen:
        """So long; may be called again."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _call, *self._target, seconds)

    def stop(self) -> None:
        """Ends the process."""
        self._pool.shutdown()


def _give_precedence() -> None:
    with suppress(PermissionError):  # only root may; without, what it measures is a little more
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


def _call(host: str, port: int, requests: Sequence[bytes], status: int, seconds: float) -> Seen:
    return uvloop.run(_calls(host, port, requests, status, seconds))


async def _calls(host: str, port: int, requests: Sequence[bytes], status: int, seconds: float) -> Seen:
    calls = OpenLoop(host, port, requests, status, CONNECTIONS)
    await calls.run(CALLS, seconds)
    return Seen(calls.accepted, calls.shed, calls.taken, calls.failed, calls.due - calls.sent)
