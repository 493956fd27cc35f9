"""Answers over 50 million stored points, in closed loop by one caller; and how many bytes a stored point takes.

Some 14 hours of 1,000 series with a point each second, written as the job writes them, merged and rolled up. The series
and hours that are asked for are drawn anew each time. POINTS makes it shorter.
"""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import UUID

import click
import msgspec
import numpy as np
import pyarrow as pa

from analysis import bins as point_bins
from analysis.bin_counting import BinCount
from analysis.blocks import Block
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.points import Columns, PointStream
from contracts.names import BINS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import PLACED_POINT_SCHEMA
from contracts.settings import Settings
from contracts.settings_source import load
from contracts.times import DAY_MS, MINUTE_MS, format_millis
from infra.embedded import instance
from infra.embedded.api import Api
from infra.embedded.child import Child
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.part import http_reason
from jobs.point_rows import bin_rows, point_rows, series_rows
from stores import clickhouse, migrations, rollups
from testbed.report import quantile

CALLS: Final = 300  # of each kind
WARM: Final = 20  # before, not counted
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
TOPIC: Final = UUID(int=2)
MOST_HOUR_MS: Final = 10.0  # at the median
MOST_DAY_MS: Final = 50.0
STORED: Final = """
SELECT table, sum(bytes_on_disk), sum(rows) FROM system.parts
WHERE active AND database = {database:String} AND table IN ('points', 'bins', 'rollups') GROUP BY table
"""


class QueryApi(Api):
    """The API with ClickHouse and nothing else behind it."""

    def ready(self) -> str | None:
        return http_reason(f"http://{self.settings.host}:{self.settings.api.port}/healthz")


def run() -> list[Result]:
    """BenchmarkFailed when an answer is wrong or slower than it is to be."""
    points = int(os.environ.get("POINTS") or 50_000_000)
    yesterday = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS
    stream = PointStream(seed=1, points=points, a_minute=60_000, series=1000, in_turn=True, start=yesterday)
    with _running() as settings:
        began = time.monotonic()
        _store(settings, stream)
        _settle(settings)
        click.echo(f"{points} points stored, merged and rolled up in {time.monotonic() - began:.0f} s")
        sizes = _sizes(settings)
        taken = {name: _measure(settings, ask) for name, ask in _questions(stream).items()}
    for name, latencies in taken.items():
        click.echo(
            f"{name:24} p50 {quantile(latencies, 0.5) * 1000:7.1f} ms   p99 {quantile(latencies, 0.99) * 1000:7.1f} ms"
        )
    medians = {name: quantile(latencies, 0.5) * 1000 for name, latencies in taken.items()}
    results = [
        *(Result(f"point_queries.{name.replace(' ', '_')}", value, "ms") for name, value in medians.items()),
        *(Result(f"point_queries.bytes.{table}", size, "bytes a row") for table, size in sizes.items()),
    ]
    if medians["hour"] > MOST_HOUR_MS or medians["day of a series"] > MOST_DAY_MS:
        raise BenchmarkFailed(f"slower than {MOST_HOUR_MS} and {MOST_DAY_MS} ms: {medians}", results)
    return results


@contextmanager
def _running() -> Iterator[Settings]:
    """ClickHouse and the API on var/bench/point_queries, wiped first."""
    settings = load().model_copy(update={"state_dir": Path("var/bench/point_queries")})
    shutil.rmtree(settings.state_path, ignore_errors=True)
    instance.write_settings(settings)
    children = [Child(ClickHouse(settings))]
    try:
        children[0].wait_ready(START_SECONDS)
        migrations.apply(settings)
        children.append(Child(QueryApi(settings)))
        children[1].wait_ready(START_SECONDS)
        yield settings
    finally:
        for child in reversed(children):
            child.stop(STOP_SECONDS)


def _store(settings: Settings, stream: PointStream) -> None:
    """A block a minute, as the job cuts them; it came in yesterday, so that days of ingestion are over."""
    ingested = int(time.time() * 1000) - DAY_MS
    with clickhouse.connect(settings, timeout=300) as client:
        client.insert_arrow(POINT_SERIES_TABLE, series_rows(stream.all_series, ingested // DAY_MS))
        for offset, columns in enumerate(stream.batches(10 * stream.a_minute)):
            placed = _placed(stream, columns, offset, ingested)
            client.insert_arrow(POINTS_TABLE, point_rows(placed, TOPIC, 0))
            made = point_bins.add([point_bins.of_points(placed, {}, {})])
            block = Block(offset, int(columns.time[0]) // MINUTE_MS, len(columns.time), offset, ingested)
            client.insert_arrow(BINS_TABLE, bin_rows([BinCount(block, made, -1)], TOPIC, 0))


def _placed(stream: PointStream, columns: Columns, offset: int, ingested: int) -> pa.RecordBatch:
    rows = len(columns.time)
    ids = np.array([one.id for one in stream.all_series], np.uint64)[columns.series]
    arrays = [ids, columns.time, columns.value, np.full(rows, offset), np.arange(rows, dtype=np.int32)]
    return pa.RecordBatch.from_arrays(
        [*map(pa.array, arrays), pa.array(np.full(rows, ingested))], schema=PLACED_POINT_SCHEMA
    )


def _settle(settings: Settings) -> None:
    """Merges done, rollups made: as a platform stands that has not just been filled."""
    with clickhouse.connect(settings, timeout=600) as client:
        for table in (POINTS_TABLE, BINS_TABLE):
            client.command(f"OPTIMIZE TABLE {table} FINAL")
        rollups.roll_up(settings)
        # As if a minute had passed since: what is younger is read from bins all the same.
        client.command("INSERT INTO rollup_runs SELECT now64(3, 'UTC') + toIntervalSecond(61)")
        client.command("OPTIMIZE TABLE rollups FINAL")


def _sizes(settings: Settings) -> dict[str, float]:
    with clickhouse.connect(settings) as client:
        rows = client.query(STORED, {"database": settings.clickhouse.database}).result_rows
    for table, size, count in rows:
        click.echo(f"{table:12} {count:>12,} rows {size:>14,} bytes {size / count:8.2f} bytes a row")
    return {table: size / count for table, size, count in rows}


Ask = Callable[[random.Random], str]


def _questions(stream: PointStream) -> dict[str, Ask]:
    hours = stream.points // stream.a_minute // 60

    def series(dice: random.Random) -> tuple[str, str]:
        one = dice.choice(stream.all_series)
        return one.name, f"host:{dict(one.labels)['host']}"

    def an_hour(stat: str, dice: random.Random, *, narrow: bool = True) -> str:
        metric, match = series(dice)
        day, clock = format_millis(stream.start + dice.randrange(max(hours, 1)) * 60 * MINUTE_MS).split("T")
        return f"/{metric}/{stat}/{day}/{clock[:2]}" + (f"?{urlencode({'match': match})}" if narrow else "")

    def a_day(dice: random.Random, step: str, stat: str = "average") -> str:
        metric, match = series(dice)
        span = {"from": stream.start, "to": stream.start + DAY_MS, "step": step, "stat": stat}
        return f"/api/v1/series?{urlencode({'metric': metric, 'match': match, **span})}"

    return {
        "hour": lambda dice: an_hour("average", dice),
        "hour of a metric": lambda dice: an_hour("average", dice, narrow=False),
        "hour median": lambda dice: an_hour("median", dice),
        "day of a series": lambda dice: a_day(dice, "1m"),
        "day by hours": lambda dice: a_day(dice, "1h"),
        "day p99 by hours": lambda dice: a_day(dice, "1h", "p99"),
    }


def _measure(settings: Settings, ask: Ask) -> list[float]:
    """Seconds of each call, sorted."""
    dice = random.Random(1)  # noqa: S311  # repeatable
    latencies = []
    for number in range(CALLS + WARM):
        url = f"http://{settings.host}:{settings.api.port}{ask(dice)}"
        began = time.perf_counter()
        with urlopen(url) as answer:  # noqa: S310  # our own http:// address
            document = msgspec.json.decode(answer.read())
        if number >= WARM:
            latencies.append(time.perf_counter() - began)
        if not document.get("count", 1) or ("series" in document and not _has_values(document)):
            raise BenchmarkFailed(f"nothing behind {url}")
    return sorted(latencies)


def _has_values(document: dict[str, list[dict[str, list[tuple[int, float | None]]]]]) -> bool:
    return any(value is not None for line in document["series"] for _, value in line["points"])
