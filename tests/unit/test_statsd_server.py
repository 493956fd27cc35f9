"""StatsD has nobody to answer: what is not taken must show in the metrics."""

import asyncio
import time
from pathlib import Path

from api import metrics
from api.collect.prepared import LineError, Prepared
from api.collect.statsd import StatsDServer
from contracts.points import Point
from contracts.settings import Settings

NOW = 1_700_000_000_000
SECONDS = 60.0


def test_points_beyond_the_cap_on_series_are_counted(tmp_path: Path) -> None:
    async def take(points: list[Point], now: int) -> Prepared:
        return Prepared(0, [], [], [LineError(number, "labels", "too many") for number in range(len(points))])

    async def run() -> float:
        server = StatsDServer(Settings(state_dir=tmp_path), take, lambda: NOW)
        before = refused()
        server.datagram(b"hits:1|c\nhits:2|c")
        deadline = time.monotonic() + SECONDS
        while refused() == before and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await server.close()
        return refused() - before

    assert asyncio.run(run()) == 2


def refused() -> float:
    value: float = metrics.REJECTED.labels("labels")._value.get()  # no public way to read one value
    return value
