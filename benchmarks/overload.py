"""Ten times the tags that the collector can take: what it accepts, how fast it refuses the rest, and what that costs.

First the most that it takes, in closed loop. Then calls are due at ten times that rate; the generator shares the
machine, so how many of them it really made is printed. Every accepted tag is counted in the topic in the end. SECONDS
sets the length of each of the two.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Final

import click
import psutil
import uvloop

from benchmarks.collect_tags import CONNECTIONS, tag_requests
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.broker import START_SECONDS, STOP_SECONDS, broker
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.collecting import WARM_SECONDS, Collector
from benchmarks.rig.open_loop import OpenLoop
from benchmarks.rig.topic import count_events
from contracts.settings import Settings
from infra import topics
from infra.embedded import instance
from infra.embedded.child import Child
from testbed.report import quantile

SECONDS: Final = 20.0
TIMES: Final = 10
CLIENTS: Final = 1500  # connections at a time, three times those of the closed loop
LEAST_OF_THE_PEAK: Final = 0.8
LATE: Final = 0.2  # seconds: what an accepted call may take, by the contract
MOST_MEMORY: Final = 100_000_000  # bytes that the flood may add


@dataclass(frozen=True)
class Peak:
    """The most that was acknowledged: tags a second, all of them, the 99th percentile in seconds; memory in bytes."""

    rate: float
    tags: int
    p99: float
    memory: int


def run() -> list[Result]:
    """BenchmarkFailed when less than four fifths of the peak are accepted, accepted calls are late, memory grows, or an
    accepted tag is missing."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    with broker("overload") as (settings, _):
        topics.ensure(settings, START_SECONDS)
        instance.write_settings(settings)
        child = Child(Collector(settings))
        try:
            child.wait_ready(START_SECONDS)
            peak, flood, memory = uvloop.run(_measure(settings, child, seconds))
        finally:
            child.stop(STOP_SECONDS)
        found = count_events(settings, settings.topics.user_tags)
    _show(peak, flood, memory, seconds)
    _judge(peak, flood, memory, seconds, found)
    p99 = quantile(sorted(flood.accepted), 0.99) * 1000
    return [
        Result("overload.accepted", len(flood.accepted) / seconds, "tags/s", "the same in closed loop", peak.rate),
        Result("overload.p99", p99, "ms", "the same in closed loop", peak.p99 * 1000),
        Result("overload.refused", len(flood.shed) / max(flood.sent, 1), "of the calls made"),
        Result("overload.refused.p99", quantile(sorted(flood.shed), 0.99) * 1000, "ms"),
        Result("overload.memory", memory / 1e6, "MB", "the same in closed loop", peak.memory / 1e6),
    ]


async def _measure(settings: Settings, child: Child, seconds: float) -> tuple[Peak, OpenLoop, int]:
    """The peak, the flood, and the most memory during it."""
    requests = tag_requests()
    closed = ClosedLoop(settings.host, settings.api.port, requests, 204)
    closed.start(CONNECTIONS)
    await asyncio.sleep(WARM_SECONDS)
    closed.begin_counting()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    rate, latencies = len(closed.latencies) / (time.monotonic() - began), sorted(closed.latencies)
    await closed.stop()
    peak = Peak(rate, closed.answered, quantile(latencies, 0.99), _memory(child))
    flood = OpenLoop(settings.host, settings.api.port, requests, 204, CLIENTS)
    sampler = asyncio.create_task(_most_memory(child))
    await flood.run(TIMES * rate, seconds)
    sampler.cancel()
    return peak, flood, max(_memory(child), *await asyncio.gather(sampler))


async def _most_memory(child: Child) -> int:
    most = 0
    try:
        while True:
            most = max(most, _memory(child))
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return most


def _memory(child: Child) -> int:
    process = psutil.Process(child.pid)
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])


def _show(peak: Peak, flood: OpenLoop, memory: int, seconds: float) -> None:
    accepted, shed = sorted(flood.accepted), sorted(flood.shed)
    rows = [
        ("most in closed loop", peak.rate, peak.p99 * 1000),
        ("due", flood.due / seconds, None),
        ("made", flood.sent / seconds, None),
        ("accepted", len(accepted) / seconds, quantile(accepted, 0.99) * 1000),
        ("refused", len(shed) / seconds, quantile(shed, 0.99) * 1000),
    ]
    for name, rate, p99 in rows:
        click.echo(f"{name:24}{rate:>10.0f} /s" + ("" if p99 is None else f"   p99 {p99:.0f} ms"))
    click.echo(f"memory {memory / 1e6:.0f} MB, before it {peak.memory / 1e6:.0f} MB; failed: {dict(flood.failed)}")


def _judge(peak: Peak, flood: OpenLoop, memory: int, seconds: float, found: int) -> None:
    accepted, unknown = peak.tags + len(flood.accepted), sum(flood.failed.values())
    if not accepted <= found <= accepted + unknown:
        raise BenchmarkFailed(f"{accepted} tags accepted, {unknown} without an answer, {found} in the topic")
    if len(flood.accepted) / seconds < LEAST_OF_THE_PEAK * peak.rate:
        raise BenchmarkFailed(f"{len(flood.accepted) / seconds:.0f} tags/s accepted of a peak of {peak.rate:.0f}")
    late = quantile(sorted(flood.accepted), 0.99)
    if late > max(LATE, peak.p99):
        raise BenchmarkFailed(f"the 99th percentile of the accepted calls is {late * 1000:.0f} ms")
    if memory > peak.memory + MOST_MEMORY:
        raise BenchmarkFailed(f"memory grew from {peak.memory / 1e6:.0f} to {memory / 1e6:.0f} MB")
