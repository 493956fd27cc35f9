"""More calls than the collector can take: what it accepts, how fast it refuses the rest, and what that costs.

First the most that it takes, in closed loop. Then calls are due at so many times that rate; the generator shares the
machine, so how many of them it really made is printed. Every accepted event is counted in the topic in the end.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import click
import psutil
import uvloop

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.broker import START_SECONDS, STOP_SECONDS, broker
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.collecting import WARM_SECONDS, Collector, Load
from benchmarks.rig.open_loop import OpenLoop
from benchmarks.rig.topic import count_events
from contracts.settings import Settings
from infra import topics
from infra.embedded import instance
from infra.embedded.child import Child
from testbed.report import quantile

CLIENTS: Final = 3  # times the connections of the closed loop
LEAST_OF_THE_PEAK: Final = 0.8
LATE: Final = 0.2  # seconds: what an accepted call may take, by the contract
KEPT: Final = 1.25  # times the 99th percentile at the peak: what it may take, if that is longer
MOST_MEMORY: Final = 100_000_000  # bytes that the flood may add


@dataclass(frozen=True)
class Peak:
    """The most that was acknowledged: calls a second, all of them, the 99th percentile in seconds; memory in bytes."""

    rate: float
    calls: int
    p99: float
    memory: int


def flood(name: str, load: Load, times: int) -> list[Result]:
    """With `load` in closed loop and then `times` its calls, each for `load.seconds`.

    BenchmarkFailed when less than four fifths of the peak are accepted, accepted calls are late, memory grows, or an
    accepted event is missing.
    """
    with broker(name) as (settings, _):
        topics.ensure(settings, START_SECONDS)
        instance.write_settings(settings)
        child = Child(Collector(settings))
        try:
            child.wait_ready(START_SECONDS)
            peak, offered, memory = uvloop.run(_measure(settings, child, load, times))
        finally:
            child.stop(STOP_SECONDS)
        found = count_events(settings, getattr(settings.topics, load.topic)) / load.events
    _show(peak, offered, memory, load.seconds)
    _judge(peak, offered, memory, load.seconds, found)
    return _results(name, peak, offered, memory, load)


def _results(name: str, peak: Peak, offered: OpenLoop, memory: int, load: Load) -> list[Result]:
    rival, p99 = "the same in closed loop", quantile(sorted(offered.accepted), 0.99) * 1000
    rate = len(offered.accepted) / load.seconds * load.events
    return [
        Result(f"{name}.accepted", rate, "events/s", rival, peak.rate * load.events),
        Result(f"{name}.p99", p99, "ms", rival, peak.p99 * 1000),
        Result(f"{name}.offered", offered.sent / load.seconds / peak.rate, "times the peak"),
        Result(f"{name}.refused", len(offered.shed) / max(offered.sent, 1), "of the calls made"),
        Result(f"{name}.refused.p99", quantile(sorted(offered.shed), 0.99) * 1000, "ms"),
        Result(f"{name}.memory", memory / 1e6, "MB", rival, peak.memory / 1e6),
    ]


async def _measure(settings: Settings, child: Child, load: Load, times: int) -> tuple[Peak, OpenLoop, int]:
    """The peak, what was offered then, and the most memory during that."""
    closed = ClosedLoop(settings.host, settings.api.port, load.requests, load.status)
    closed.start(load.connections)
    await asyncio.sleep(WARM_SECONDS)
    closed.begin_counting()
    began = time.monotonic()
    await asyncio.sleep(load.seconds)
    rate, latencies = len(closed.latencies) / (time.monotonic() - began), sorted(closed.latencies)
    await closed.stop()
    peak = Peak(rate, closed.answered, quantile(latencies, 0.99), _memory(child))
    offered = OpenLoop(settings.host, settings.api.port, load.requests, load.status, CLIENTS * load.connections)
    sampler = asyncio.create_task(_most_memory(child))
    await offered.run(times * rate, load.seconds)
    sampler.cancel()
    return peak, offered, max(_memory(child), *await asyncio.gather(sampler))


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


def _show(peak: Peak, offered: OpenLoop, memory: int, seconds: float) -> None:
    accepted, shed = sorted(offered.accepted), sorted(offered.shed)
    rows = [
        ("most in closed loop", peak.rate, peak.p99 * 1000),
        ("due", offered.due / seconds, None),
        ("made", offered.sent / seconds, None),
        ("accepted", len(accepted) / seconds, quantile(accepted, 0.99) * 1000),
        ("refused", len(shed) / seconds, quantile(shed, 0.99) * 1000),
    ]
    for name, rate, p99 in rows:
        click.echo(f"{name:24}{rate:>10.0f} calls/s" + ("" if p99 is None else f"   p99 {p99:.0f} ms"))
    click.echo(f"memory {memory / 1e6:.0f} MB, before it {peak.memory / 1e6:.0f} MB; failed: {dict(offered.failed)}")


def _judge(peak: Peak, offered: OpenLoop, memory: int, seconds: float, found: float) -> None:
    accepted, unknown = peak.calls + len(offered.accepted), sum(offered.failed.values())
    if not accepted <= found <= accepted + unknown:
        raise BenchmarkFailed(f"{accepted} calls accepted, {unknown} without an answer, {found:g} in the topic")
    if len(offered.accepted) / seconds < LEAST_OF_THE_PEAK * peak.rate:
        raise BenchmarkFailed(f"{len(offered.accepted) / seconds:.0f} calls/s accepted of a peak of {peak.rate:.0f}")
    late = quantile(sorted(offered.accepted), 0.99)
    if late > max(LATE, KEPT * peak.p99):
        raise BenchmarkFailed(f"the 99th percentile of the accepted calls is {late * 1000:.0f} ms")
    if memory > peak.memory + MOST_MEMORY:
        raise BenchmarkFailed(f"memory grew from {peak.memory / 1e6:.0f} to {memory / 1e6:.0f} MB")
