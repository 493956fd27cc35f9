"""Ten times what the collector can take: what it accepts, how fast it refuses the rest, and what that costs.

Tags one by one, and many in a body. First the most that it takes, in closed loop; then calls are due at ten times that
rate. The generator shares the machine, so how many of them it really made is printed: of single tags it cannot make as
many, of bodies it can. Every accepted tag is counted in the topic in the end. SECONDS sets the length of each.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Final

import click
import psutil
import uvloop

from api.collect.bulk import AT_ONCE
from benchmarks import collect_bulk, collect_tags
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.broker import START_SECONDS, STOP_SECONDS, broker
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.collecting import WARM_SECONDS, Collector
from benchmarks.rig.open_loop import OpenLoop
from benchmarks.rig.topic import Stream, count_events
from contracts.settings import Settings
from infra import topics
from infra.embedded import instance
from infra.embedded.child import Child
from testbed.report import quantile

SECONDS: Final = 20.0
TIMES: Final = 10
LEAST_OF_THE_PEAK: Final = 0.8
LATE: Final = 0.2  # seconds: what an accepted call may take, by the contract
KEPT: Final = 1.25  # of the 99th percentile at the peak: what an accepted call may take, if that is longer
MOST_MEMORY: Final = 100_000_000  # bytes that the flood may add


@dataclass(frozen=True)
class Kind:
    """Calls with so many `events` each, answered by `status` when taken: `connections` that keep the collector at its
    peak, and `clients` of the flood, more than it takes at a time. `times` the peak are due."""

    name: str
    requests: list[bytes]
    status: int
    events: int
    connections: int
    clients: int
    times: int = TIMES
    stream: Stream = "user_tags"


@dataclass(frozen=True)
class Peak:
    """The most that was acknowledged: calls a second, all of them, the 99th percentile in seconds; memory in bytes."""

    rate: float
    calls: int
    p99: float
    memory: int


def kinds() -> list[Kind]:
    """Tags one by one; bodies of thousands, packed, as many at a time as are taken."""
    return [
        Kind("tags", collect_tags.tag_requests(), 204, 1, collect_tags.CONNECTIONS, 3 * collect_tags.CONNECTIONS),
        Kind("bulk", collect_bulk.bulk_requests("zstd"), 202, collect_bulk.LINES, AT_ONCE, 8 * AT_ONCE),
    ]


def run() -> list[Result]:
    """BenchmarkFailed when less than four fifths of the peak are accepted, accepted calls are late, memory grows, or an
    accepted tag is missing."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return [result for kind in kinds() for result in flooded(kind, seconds)]


def flooded(kind: Kind, seconds: float) -> list[Result]:
    """One flood on a broker of its own; see `run`."""
    with broker(f"overload-{kind.name}") as (settings, _):
        topics.ensure(settings, START_SECONDS)
        instance.write_settings(settings)
        child = Child(Collector(settings))
        try:
            child.wait_ready(START_SECONDS)
            peak, flood, memory = uvloop.run(_measure(settings, child, kind, seconds))
        finally:
            child.stop(STOP_SECONDS)
        found = count_events(settings, kind.stream)
    _show(kind, peak, flood, memory, seconds)
    p99 = quantile(sorted(flood.accepted), 0.99) * 1000
    accepted, most = kind.events * len(flood.accepted) / seconds, kind.events * peak.rate
    results = [
        Result(f"overload.{kind.name}.accepted", accepted, "events/s", "the same in closed loop", most),
        Result(f"overload.{kind.name}.p99", p99, "ms", "the same in closed loop", peak.p99 * 1000),
        Result(f"overload.{kind.name}.offered", flood.sent / seconds / peak.rate, "times the peak"),
        Result(f"overload.{kind.name}.refused", len(flood.shed) / max(flood.sent, 1), "of the calls made"),
        Result(f"overload.{kind.name}.refused.p99", quantile(sorted(flood.shed), 0.99) * 1000, "ms"),
        Result(f"overload.{kind.name}.memory", memory / 1e6, "MB", "the same in closed loop", peak.memory / 1e6),
    ]
    wrong = _wrong(kind, peak, flood, memory, seconds, found)
    if wrong:
        raise BenchmarkFailed(wrong, results)
    return results


async def _measure(settings: Settings, child: Child, kind: Kind, seconds: float) -> tuple[Peak, OpenLoop, int]:
    """The peak, the flood, and the most memory during it."""
    closed = ClosedLoop(settings.host, settings.api.port, kind.requests, kind.status)
    closed.start(kind.connections)
    await asyncio.sleep(WARM_SECONDS)
    closed.begin_counting()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    rate, latencies = len(closed.latencies) / (time.monotonic() - began), sorted(closed.latencies)
    await closed.stop()
    peak = Peak(rate, closed.answered, quantile(latencies, 0.99), _memory(child))
    flood = OpenLoop(settings.host, settings.api.port, kind.requests, kind.status, kind.clients)
    sampler = asyncio.create_task(_most_memory(child))
    await flood.run(kind.times * rate, seconds)
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


def _show(kind: Kind, peak: Peak, flood: OpenLoop, memory: int, seconds: float) -> None:
    accepted, shed = sorted(flood.accepted), sorted(flood.shed)
    rows = [
        ("most in closed loop", peak.rate, peak.p99 * 1000),
        ("due", flood.due / seconds, None),
        ("made", flood.sent / seconds, None),
        ("accepted", len(accepted) / seconds, quantile(accepted, 0.99) * 1000),
        ("refused", len(shed) / seconds, quantile(shed, 0.99) * 1000),
    ]
    click.echo(f"{kind.name}, {kind.events} a call")
    for name, rate, p99 in rows:
        click.echo(f"{name:24}{rate:>10.0f} calls/s" + ("" if p99 is None else f"   p99 {p99:.0f} ms"))
    click.echo(f"memory {memory / 1e6:.0f} MB, before it {peak.memory / 1e6:.0f} MB; failed: {dict(flood.failed)}")


def _wrong(kind: Kind, peak: Peak, flood: OpenLoop, memory: int, seconds: float, found: int) -> str:
    """What does not hold, if anything."""
    accepted, unknown = kind.events * (peak.calls + len(flood.accepted)), kind.events * sum(flood.failed.values())
    late, refused = (quantile(sorted(latencies), 0.99) for latencies in (flood.accepted, flood.shed))
    bounds = [
        (accepted <= found <= accepted + unknown, f"{accepted} accepted, {unknown} not answered, {found} in the topic"),
        (len(flood.accepted) / seconds >= LEAST_OF_THE_PEAK * peak.rate, "too little was accepted"),
        (late <= max(LATE, KEPT * peak.p99), f"the 99th percentile of the accepted calls is {late * 1000:.0f} ms"),
        (refused <= LATE, f"the 99th percentile of the refused calls is {refused * 1000:.0f} ms"),
        (memory <= peak.memory + MOST_MEMORY, f"memory grew from {peak.memory / 1e6:.0f} to {memory / 1e6:.0f} MB"),
    ]
    return "; ".join(told for holds, told in bounds if not holds)
