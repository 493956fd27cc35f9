"""Runs the testbed's driver from a command: a live line meanwhile, the report in the end."""

import asyncio
import signal
import time
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any, Final, TypeVar

import uvloop
from rich.console import Console
from rich.status import Status

from testbed import freshness
from testbed.driver import Driver, Load
from testbed.generator import Traffic
from testbed.live import LiveLine
from testbed.report import Report

REFRESH: Final = 0.5  # seconds
QUIET_REFRESH: Final = 10.0  # where the output is no terminal

Result = TypeVar("Result")


def run(what: Coroutine[Any, Any, Result]) -> Result:
    """Runs it on a loop that SIGINT and SIGTERM both interrupt, as KeyboardInterrupt."""

    async def main() -> Result:
        task = asyncio.ensure_future(what)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return uvloop.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def drive(load: Load, traffic: Traffic, seconds: float, console: Console, since: float | None = None) -> Report:
    """A whole run with its live line on `console`. When cancelled, the report of what was judged so far.

    `since`, on the monotonic clock: says how long after that the first tag was seen in a profile.
    """
    driver = Driver(load, traffic)
    tasks = [asyncio.create_task(freshness.watch(driver)), asyncio.create_task(_show(driver, console))]
    if since is not None:
        tasks.append(asyncio.create_task(_first_seen(driver, console, since)))
    try:
        return await driver.run(seconds)
    except asyncio.CancelledError:
        return driver.report
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_seen(driver: Driver, console: Console, since: float) -> None:
    while not driver.report.freshness:
        await asyncio.sleep(freshness.EVERY)
    console.print(f"[{time.monotonic() - since:5.1f} s] the first tag is in its profile", markup=False, highlight=False)


async def _show(driver: Driver, console: Console) -> None:
    line = LiveLine(driver, time.monotonic())
    status: Status | None = console.status("", refresh_per_second=4) if console.is_terminal else None
    with status if status else nullcontext():
        while True:
            await asyncio.sleep(REFRESH if status else QUIET_REFRESH)
            text = line.text(time.monotonic())
            if status:
                status.update(text)
            else:
                console.print(text, markup=False, highlight=False, soft_wrap=True)
