"""Calls at a rate that the collector takes, while it is stopped for a moment again and again: nothing may be refused.

An overloaded collector refuses, and one that others keep from its core looks like one (`api/collect/load.py`). RATE
sets the tags a second, STOP the length of a stop in seconds, SECONDS that of the whole.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click
import psutil
import uvloop

from benchmarks.collect_tags import tag_requests
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.broker import START_SECONDS, broker
from benchmarks.rig.collecting import collecting
from benchmarks.rig.open_loop import OpenLoop
from infra import topics
from testbed.report import quantile

RATE: Final = 1000.0
STOP: Final = 0.3
SECONDS: Final = 12.0
EVERY: Final = 1.5  # seconds from the end of a stop to the next
CONNECTIONS: Final = 2000  # more than are due in a stop


def run() -> list[Result]:
    """BenchmarkFailed when a call was refused or failed."""
    rate, stop, seconds = (
        float(os.environ.get(name) or default)
        for name, default in (("RATE", RATE), ("STOP", STOP), ("SECONDS", SECONDS))
    )
    with broker("stalled") as (settings, _):
        topics.ensure(settings, START_SECONDS)
        with collecting(settings) as child:
            process = psutil.Process(child.pid)
            stopped = [process, *process.children(recursive=True)]
            calls = uvloop.run(_drive(settings.host, settings.api.port, stopped, rate, stop, seconds))
    accepted, refused = sorted(calls.accepted), len(calls.shed)
    click.echo(f"{len(accepted)} of {calls.due} calls accepted, {refused} refused, failed: {dict(calls.failed)}")
    results = [
        Result("stalled.refused", refused / max(calls.sent, 1), "of the calls made"),
        Result("stalled.p99", quantile(accepted, 0.99) * 1000, "ms", "a stop", stop * 1000),
    ]
    if refused or calls.failed:
        raise BenchmarkFailed(f"{refused} calls were refused, {calls.failed.total()} failed", results)
    return results


async def _drive(
    host: str, port: int, stopped: Sequence[psutil.Process], rate: float, stop: float, seconds: float
) -> OpenLoop:
    calls = OpenLoop(host, port, tag_requests(), 204, CONNECTIONS)
    stops = asyncio.create_task(_stop(stopped, stop))
    try:
        await calls.run(rate, seconds)
    finally:
        stops.cancel()
        with suppress(asyncio.CancelledError):
            await stops
    return calls


async def _stop(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Until cancelled; they run then."""
    while True:
        await asyncio.sleep(EVERY)
        for process in processes:
            process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            for process in processes:
                process.resume()
