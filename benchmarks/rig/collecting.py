"""A broker and one server that collects into it: how many events a second it acknowledges, and at what CPU."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median_low
from typing import Final
from urllib.request import urlopen

import uvloop

from benchmarks.failed import BenchmarkFailed
from benchmarks.processes import cpu_seconds
from benchmarks.rig.broker import START_SECONDS, STOP_SECONDS, broker
from benchmarks.rig.closed_loop import ClosedLoop
from benchmarks.rig.topic import Stream, count_events
from contracts.settings import Settings, Topic
from infra import topics
from infra.embedded import instance
from infra.embedded.api import Api
from infra.embedded.child import Child
from infra.embedded.part import Part, http_reason
from testbed.report import quantile

POUR_SECONDS: Final = 60.0
WARM_SECONDS: Final = 3.0  # not counted: connections are made, code is compiled, librdkafka finds the partitions


class Collector(Api):
    """The API with nothing but Kafka behind it: it is not ready for queries then, and takes events all the same."""

    def ready(self) -> str | None:
        return http_reason(f"http://{self.settings.host}:{self.settings.api.port}/healthz")


@contextmanager
def collecting(settings: Settings) -> Iterator[Child]:
    """A collector with these settings, ready."""
    instance.write_settings(settings)
    child = Child(Collector(settings))
    try:
        child.wait_ready(2 * START_SECONDS)  # a whole stack may be at work beside it
        yield child
    finally:
        child.stop(STOP_SECONDS)


@dataclass(frozen=True)
class Load:
    """What to send, over and over: whole HTTP requests of `events` events each, so many at a time."""

    requests: Sequence[bytes]
    status: int  # the answer that says that all of a request's events are durable
    connections: int
    events: int = 1
    seconds: float = 10.0
    stream: Stream = "user_tags"


@dataclass(frozen=True)
class Measured:
    """One run. CPU in microseconds an event; latency in milliseconds."""

    rate: float  # acknowledged events a second
    server_us: float
    broker_us: float
    driver_us: float
    p50: float
    p99: float

    @classmethod
    def heading(cls) -> str:
        return f"{'':34}{'events/s':>10}{'server us':>11}{'broker us':>11}{'driver us':>11}{'p50 ms':>9}{'p99 ms':>9}"

    def row(self, name: str) -> str:
        cpu = f"{self.server_us:>11.1f}{self.broker_us:>11.1f}{self.driver_us:>11.1f}"
        return f"{name:34}{self.rate:>10.0f}{cpu}{self.p50:>9.1f}{self.p99:>9.1f}"


def middle(runs: Sequence[Measured]) -> Measured:
    """The run whose rate is the median."""
    rate = median_low([run.rate for run in runs])
    return next(run for run in runs if run.rate == rate)


class Site:
    """A broker on a folder of its own; each run gets a topic of its own and a server that has just started."""

    def __init__(self, settings: Settings, broker: Child) -> None:
        self._settings = settings
        self._broker = broker
        self._runs = 0

    def measure(self, server: type[Part], load: Load, *, keeps: bool = True) -> Measured:
        """One run; BenchmarkFailed when an answer was another one, or an acknowledged event is not in the topic.

        `keeps` False: a server that only answers.
        """
        settings = self._with_own_topic(load.stream)
        child = Child(server(settings))
        try:
            child.wait_ready(START_SECONDS)
            loop, measured = uvloop.run(self._drive(settings, child, load))
        finally:
            child.stop(STOP_SECONDS)
        if loop.refused:
            raise BenchmarkFailed(f"{server.name}: {loop.refused.most_common(3)}")
        sent, found = loop.answered * load.events, count_events(settings, load.stream)
        if keeps and found != sent:
            raise BenchmarkFailed(f"{server.name}: {sent} events acknowledged, {found} in the topic")
        return measured

    def pour(self, lines: bytes, events: int) -> Measured:
        """StatsD's lines over one TCP connection, which has no answers: until all of them are acknowledged inside."""
        settings = self._with_own_topic("points")
        child = Child(Collector(settings))
        try:
            child.wait_ready(START_SECONDS)
            before, began = self._usage(child), time.monotonic()
            with socket.create_connection((settings.host, settings.api.statsd_port)) as connection:
                connection.sendall(lines)
            while _accepted(settings) < events:
                if time.monotonic() > began + POUR_SECONDS:
                    raise BenchmarkFailed(f"statsd: {_accepted(settings):.0f} of {events} points were accepted")
                time.sleep(0.05)
            seconds, after = time.monotonic() - began, self._usage(child)
        finally:
            child.stop(STOP_SECONDS)
        if count_events(settings, "points") != events:
            raise BenchmarkFailed(f"statsd: {events} points accepted, not all in the topic")
        server, log, driver = ((new - old) / events * 1e6 for old, new in zip(before, after, strict=True))
        return Measured(events / seconds, server, log, driver, 0.0, 0.0)

    def _with_own_topic(self, stream: Stream) -> Settings:
        self._runs += 1
        topic: Topic = getattr(self._settings.topics, stream)
        own = topic.model_copy(update={"name": f"{topic.name}-{self._runs}"})
        changed = self._settings.topics.model_copy(update={stream: own})
        settings = self._settings.model_copy(update={"topics": changed})
        topics.ensure(settings, START_SECONDS)
        instance.write_settings(settings)
        return settings

    async def _drive(self, settings: Settings, server: Child, load: Load) -> tuple[ClosedLoop, Measured]:
        loop = ClosedLoop(settings.host, settings.api.port, load.requests, load.status)
        loop.start(load.connections)
        await asyncio.sleep(WARM_SECONDS)
        before, began = self._usage(server), time.monotonic()
        loop.begin_counting()
        await asyncio.sleep(load.seconds)
        seconds, after = time.monotonic() - began, self._usage(server)
        latencies = sorted(loop.latencies)
        await loop.stop()
        events = max(len(latencies), 1) * load.events
        server_us, broker_us, driver_us = ((new - old) / events * 1e6 for old, new in zip(before, after, strict=True))
        p50, p99 = (quantile(latencies, share) * 1000 for share in (0.5, 0.99))
        return loop, Measured(events / seconds, server_us, broker_us, driver_us, p50, p99)

    def _usage(self, server: Child) -> tuple[float, float, float]:
        return cpu_seconds(server.pid), cpu_seconds(self._broker.pid), time.process_time()


def _accepted(settings: Settings) -> float:
    with urlopen(f"http://{settings.host}:{settings.api.port}/metrics") as answer:  # noqa: S310  # our own http:// address
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tidewatch_api_events_accepted_total"))


@contextmanager
def site(name: str) -> Iterator[Site]:
    """On a broker that `broker` starts under this name."""
    with broker(name) as (settings, process):
        yield Site(settings, process)
