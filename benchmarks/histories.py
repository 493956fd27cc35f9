"""New series beginning with what ClickHouse holds of their past: a fleet that appears at once, and one whose state was
lost. And for how long the operator stands still for it, which scores meanwhile.

ClickHouse holds a week of 1,000 series, scored minute by minute. SERIES makes it shorter.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.lane import Lane
from analysis.watch.live import key_of, series_id
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from contracts.series import Bin, Message, Progress
from contracts.settings import Settings
from contracts.settings_source import load
from contracts.times import DAY_MS, MINUTE_MS
from infra.embedded.child import Child
from infra.embedded.clickhouse import ClickHouse
from jobs.histories import Histories
from stores import clickhouse, migrations
from testbed.generator import START_MS

SERIES: Final = 10_000
KNOWN: Final = 1000
DAYS: Final = 7
TURN_SECONDS: Final = 1.0  # from one look of the operator to the next
SECONDS: Final = 600.0  # at most, for all of them
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
LANE: Final = Lane("points", MINUTE_MS)
# Its ids are those of `analysis.watch.live.series_id`, handed in by number.
SCORED: Final = """
    INSERT INTO scored_bins (metric, series, resolution, start, revision, value, day)
    SELECT {metric:String}, {series:Array(UInt64)}[1 + number % {known:UInt32}], 60,
           toDateTime({from:UInt32} + intDiv(number, {known:UInt32}) * 60, 'UTC'), 1, number % 1009, today()
    FROM numbers({known:UInt64} * {minutes:UInt64})"""


def run() -> list[Result]:
    """On a ClickHouse of its own. BenchmarkFailed when a series is not begun."""
    count = int(os.environ.get("SERIES") or SERIES)
    with _clickhouse() as settings:
        _fill(settings)
        strangers = _begin(settings, "of a new metric", "fleet", count, 0)
        neighbours = _begin(settings, "beside those that are known", "known", count, KNOWN)
        known = _begin(settings, "with a week of history", "known", min(count, KNOWN), 0)
    stands = max(stands for _, stands in (strangers, neighbours, known))
    return [
        Result("histories.new", strangers[0], "series/s"),
        Result("histories.new.beside_known", neighbours[0], "series/s"),
        Result("histories.known", known[0], "series/s"),
        Result("histories.operator_stands", stands, "s at most"),
    ]


def _begin(settings: Settings, words: str, metric: str, count: int, first: int) -> tuple[float, float]:
    """Series a second, and for how long the longest turn held up the operator."""
    feed = Feed(LANE, twintail.detector, count)
    bins: list[Message] = [Bin(metric, _labels(n), MINUTE_MS, START_MS, 5, 1, 1) for n in range(first, first + count)]
    feed.take([*bins, Progress(0, 1, MINUTE_MS, START_MS + MINUTE_MS, "points")])
    histories, stands, began = Histories(settings, twintail.detector), 0.0, time.monotonic()
    histories.open()
    while feed.live.unasked(1):
        if time.monotonic() - began > SECONDS:
            raise BenchmarkFailed(f"{len(feed.live.unasked(count))} series {words} were not begun")
        begin = time.monotonic()
        histories.turn("key", feed)
        stands = max(stands, time.monotonic() - begin)
        time.sleep(TURN_SECONDS)
    took = time.monotonic() - began
    histories.close()
    click.echo(f"{count} series {words}: {took:.1f} s; the operator stood for {stands:.2f} s at most")
    return count / took, stands


def _labels(number: int) -> dict[str, str]:
    return {"host": str(number)}


def _fill(settings: Settings) -> None:
    ids = [series_id(key_of("known", _labels(number))) for number in range(KNOWN)]
    begin = (START_MS - DAYS * DAY_MS) // 1000
    with clickhouse.connect(settings, timeout=300) as client:
        rows = {"metric": "known", "known": KNOWN, "minutes": DAYS * DAY_MS // MINUTE_MS, "from": begin}
        client.command(SCORED, {**rows, "series": ids})


@contextmanager
def _clickhouse() -> Iterator[Settings]:
    settings = load().model_copy(update={"state_dir": Path("var/bench/histories")})
    shutil.rmtree(settings.state_path, ignore_errors=True)
    child = Child(ClickHouse(settings))
    try:
        child.wait_ready(START_SECONDS)
        migrations.apply(settings)
        yield settings
    finally:
        child.stop(STOP_SECONDS)
