"""More calls than a collector can take: the most that it takes in closed loop, then a flood of calls due by the clock.

The generator shares the machine, so how many of the calls that are due it really made is told. Of calls that are small
and many a probe tells how long they take, as the generator's own answers wait for it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import click
import psutil

from benchmarks.results import Result
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.collecting import WARM_SECONDS
from benchmarks.rig.open_loop import OpenLoop
from benchmarks.rig.probe import Probe, Seen
from benchmarks.rig.topic import Stream
from contracts.settings import Settings
from infra.embedded.child import Child
from testbed.report import quantile

TIMES: Final = 10
LEAST_OF_THE_PEAK: Final = 0.8
LATE: Final = 0.2  # seconds: what an accepted call may take, by the contract
REFUSED_LATE: Final = 1.0  # seconds: a refusal, which waits on purpose
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
    probed: bool = False


@dataclass(frozen=True)
class Peak:
    """The most that was acknowledged: calls a second, the 99th percentile in seconds; memory in bytes. `taken`: how
    often each request was since the start, by its place, a probe's with them; `refused`: the share of the calls that
    were not; `unknown`: how many may or may not have been."""

    rate: float
    p99: float
    memory: int
    taken: Counter[int]
    refused: float
    unknown: int


@dataclass(frozen=True)
class Flood:
    """What became of the calls in so many `seconds`, and the most memory meanwhile, in bytes."""

    calls: OpenLoop
    seconds: float
    memory: int
    probe: Seen | None

    @property
    def accepted(self) -> float:
        """Calls a second."""
        return len(self.calls.accepted) / self.seconds

    @property
    def seen(self) -> Seen:
        """What a client saw."""
        calls = self.calls
        return self.probe or Seen(calls.accepted, calls.shed, calls.taken, calls.failed, calls.due - calls.sent)

    @property
    def taken(self) -> Counter[int]:
        """How often each request was, by its place, a probe's with them."""
        return self.calls.taken + (self.probe.taken if self.probe else Counter())

    @property
    def unknown(self) -> int:
        """Calls of which nobody knows whether they were taken."""
        return self.calls.failed.total() + (self.probe.failed.total() if self.probe else 0)


async def peak(settings: Settings, child: Child, kind: Kind, seconds: float) -> Peak:
    """The most that the collector `child` takes."""
    closed = ClosedLoop(settings.host, settings.api.port, kind.requests, kind.status)
    async with _probe(settings, kind) as probe:
        closed.start(kind.connections)
        await asyncio.sleep(WARM_SECONDS)
        closed.begin_counting()
        began = time.monotonic()
        seen, _ = await asyncio.gather(_seen(probe, seconds), asyncio.sleep(seconds))
        rate, latencies = len(closed.latencies) / (time.monotonic() - began), closed.latencies
        await closed.stop()
    p99 = quantile(sorted(seen.accepted if seen else latencies), 0.99)
    refused = closed.refused.total() / max(closed.refused.total() + closed.answered, 1)
    taken, unknown = (seen.taken, seen.failed.total()) if seen else (Counter[int](), 0)
    return Peak(rate, p99, _memory(child), closed.taken + taken, refused, unknown)


async def flood(settings: Settings, child: Child, kind: Kind, rate: float, seconds: float) -> Flood:
    """`kind.times` as many calls as `rate` are due a second."""
    calls = OpenLoop(settings.host, settings.api.port, kind.requests, kind.status, kind.clients)
    async with _probe(settings, kind) as probe:
        sampler = asyncio.create_task(_most_memory(child))
        try:
            seen, _ = await asyncio.gather(_seen(probe, seconds), calls.run(kind.times * rate, seconds))
        finally:
            sampler.cancel()
    return Flood(calls, seconds, max(_memory(child), *await asyncio.gather(sampler)), seen)


@asynccontextmanager
async def _probe(settings: Settings, kind: Kind) -> AsyncIterator[Probe | None]:
    """None unless the kind wants one."""
    if not kind.probed:
        yield None
        return
    probe = Probe(settings.host, settings.api.port, kind.requests, kind.status)
    try:
        await probe.start()
        yield probe
    finally:
        probe.stop()


async def _seen(probe: Probe | None, seconds: float) -> Seen | None:
    return await probe.run(seconds) if probe else None


def middle(rounds: Sequence[tuple[Peak, Flood]]) -> tuple[Peak, Flood]:
    """Of several peaks, each with its flood, the pair of the median ratio; with the memory before all of them, and the
    most in any, as what one leaves behind counts as well."""
    ratios = [flooded.accepted / most.rate for most, flooded in rounds]
    click.echo(f"accepted, of the peak: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    most, flooded = rounds[ratios.index(sorted(ratios)[len(ratios) // 2])]
    memory = max(one.memory for _, one in rounds)
    return replace(most, memory=rounds[0][0].memory), replace(flooded, memory=memory)


def results(name: str, kind: Kind, most: Peak, flooded: Flood) -> list[Result]:
    """Called `<name>.…`."""
    calls, seen = flooded.calls, flooded.seen
    accepted, refused = (quantile(sorted(latencies), 0.99) * 1000 for latencies in (seen.accepted, seen.shed))
    rival = "the same in closed loop"
    return [
        Result(f"{name}.accepted", kind.events * flooded.accepted, "events/s", rival, kind.events * most.rate),
        Result(f"{name}.p99", accepted, "ms", rival, most.p99 * 1000),
        Result(f"{name}.offered", calls.sent / flooded.seconds / most.rate, "times the peak"),
        Result(f"{name}.refused", len(calls.shed) / max(calls.sent, 1), "of the calls made"),
        Result(f"{name}.refused.p99", refused, "ms"),
        Result(f"{name}.memory", flooded.memory / 1e6, "MB", rival, most.memory / 1e6),
    ]


def show(name: str, kind: Kind, most: Peak, flooded: Flood) -> None:
    """A table of calls a second."""
    calls, seconds = flooded.calls, flooded.seconds
    accepted, shed = sorted(calls.accepted), sorted(calls.shed)
    rows = [
        ("most in closed loop", most.rate, most.p99 * 1000),
        ("due", calls.due / seconds, None),
        ("made", calls.sent / seconds, None),
        ("accepted", len(accepted) / seconds, quantile(accepted, 0.99) * 1000),
        ("refused", len(shed) / seconds, quantile(shed, 0.99) * 1000),
    ]
    click.echo(f"{name}, {kind.events} a call")
    for title, rate, p99 in rows:
        click.echo(f"{title:24}{rate:>10.0f} calls/s" + ("" if p99 is None else f"   p99 {p99:.0f} ms"))
    if flooded.probe:
        seen = [sorted(latencies) for latencies in (flooded.probe.accepted, flooded.probe.shed)]
        told = [
            f"{len(one)} {what}, p50 {quantile(one, 0.5) * 1000:.0f} ms, p99 {quantile(one, 0.99) * 1000:.0f} ms"
            for what, one in zip(("accepted", "refused"), seen, strict=True)
        ]
        click.echo(
            f"by the probe: {'; '.join(told)}; not made: {flooded.probe.unsent}; failed: {dict(flooded.probe.failed)}"
        )
    click.echo(f"refused at the peak: {most.refused:.2%}")
    click.echo(
        f"memory {flooded.memory / 1e6:.0f} MB, before it {most.memory / 1e6:.0f} MB; failed: {dict(calls.failed)}"
    )


def wrong(most: Peak, flooded: Flood) -> list[str]:
    """What does not hold of rate, latency and memory."""
    late, refused = (quantile(sorted(one), 0.99) for one in (flooded.seen.accepted, flooded.seen.shed))
    before, memory = most.memory, flooded.memory
    bounds = [
        (flooded.accepted >= LEAST_OF_THE_PEAK * most.rate, "too little was accepted"),
        (late <= max(LATE, KEPT * most.p99), f"the 99th percentile of the accepted calls is {late * 1000:.0f} ms"),
        (refused <= REFUSED_LATE, f"the 99th percentile of the refused calls is {refused * 1000:.0f} ms"),
        (memory <= before + MOST_MEMORY, f"memory grew from {before / 1e6:.0f} to {memory / 1e6:.0f} MB"),
    ]
    return [told for holds, told in bounds if not holds]


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
