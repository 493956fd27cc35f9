"""Points from Kafka to rows in ClickHouse: 10,000 series, every point kept and counted in bins of a minute.

The rival counts the same bins of the same points, and keeps neither. POINTS and RUNS make it shorter.
"""

import os
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import click
import numpy as np

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig import log, sources, stack
from benchmarks.rig.log import Payload
from benchmarks.rig.points import Columns, PointStream
from benchmarks.rig.progress import Course, Lanes, follow
from benchmarks.rig.stack import Stack
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from stores import clickhouse

RUNS: Final = 3
SECONDS: Final = 240.0  # at most, of one run
ROWS: Final = 5000  # a record
LEAST_RATE: Final = 300_000
LEAST_RATIO: Final = 2.5
RIVAL: Final = "Flink SQL, one JSON object a record, TUMBLE, blackhole"
RIVAL_JOB: Final = "rival-flink-sql-points"
RIVAL_POINTS: Final = 4_000_000  # the first of the same: filling its topic takes longer than reading it
RIVAL_TOPIC: Final = "one-point-a-record"
TABLES: Final = ("points", "point_series", "bins", "point_blocks")
# A point must be kept and counted: the slower one tells. ClickHouse knows these counts without reading points, which
# would take much of what is measured.
PROGRESS: Final = """
SELECT 0, least((SELECT count() FROM points), (SELECT sum(lines) FROM point_blocks FINAL))
"""
WRITTEN: Final = """
SELECT intDiv(toUnixTimestamp(start), 60) AS at, sum(count), sum(sum) FROM bins FINAL WHERE resolution = 60 GROUP BY at
"""


def run() -> list[Result]:
    """On a stack of its own. BenchmarkFailed when rows are missing or wrong, or it is slower than it is to be."""
    stream = PointStream(seed=1, points=12_000_000, a_minute=600_000, series=10_000)
    stream = replace(stream, points=int(os.environ.get("POINTS") or stream.points))
    runs = int(os.environ.get("RUNS") or RUNS)
    click.echo(f"seed {stream.seed}: {stream.points} points of {stream.series} series")
    with stack.running("metrics") as parts:
        topic = parts.settings.topics.points
        log.fill(parts.settings, topic, payloads(stream, topic.partitions))
        expected = sums(stream)
        other = log.create(parts.settings, RIVAL_TOPIC, topic.partitions)
        less = replace(stream, points=min(stream.points, RIVAL_POINTS))
        log.fill(parts.settings, other, one_a_record(less))
        # In turn, as a machine's speed changes within minutes.
        pairs = [(count(parts, stream.points, expected), rival(parts, less.points)) for _ in range(runs)]
    ours, theirs = zip(*pairs, strict=True)
    best = sorted(ours, key=lambda course: course.rate)[runs // 2]
    rate = statistics.median(course.rate for course in theirs)
    results = [Result("metrics", best.rate, "points/s", RIVAL, rate, best.cpu_us)]
    if best.rate < LEAST_RATE or best.rate < LEAST_RATIO * rate:
        raise BenchmarkFailed(f"below {LEAST_RATE:,} points/s or {LEAST_RATIO} times the rival", results)
    return results


def payloads(stream: PointStream, partitions: int) -> Iterator[Payload]:
    """The stream as records, one a partition in turn, of some ROWS points each."""
    for columns in stream.batches(ROWS * partitions):
        for mine in stream.partition(columns, partitions):
            yield Payload(stream.encode(mine), int(columns.time[-1]))


def one_a_record(stream: PointStream) -> Iterator[Payload]:
    """The stream as JSON, a record for each point."""
    for columns in stream.batches(ROWS):
        for line, time in zip(stream.lines(columns), columns.time.tolist(), strict=True):
            yield Payload(line, time)


def sums(stream: PointStream) -> dict[int, tuple[int, float]]:
    """Count and sum of the points of each minute since the epoch."""
    found: defaultdict[int, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for columns in stream.batches(1_000_000):
        for minute, count_, total in _by_minute(columns):
            before = found[minute]
            found[minute] = (before[0] + count_, before[1] + total)
    return dict(found)


def _by_minute(columns: Columns) -> Iterator[tuple[int, int, float]]:
    minutes, codes = np.unique(columns.time // MINUTE_MS, return_inverse=True)
    counts, totals = np.bincount(codes), np.bincount(codes, columns.value)
    yield from zip(minutes.tolist(), counts.tolist(), totals.tolist(), strict=True)


def count(parts: Stack, points: int, expected: dict[int, tuple[int, float]]) -> Course:
    """One run of our pipeline, over tables that were emptied."""
    with clickhouse.connect(parts.settings) as client:
        for table in TABLES:
            client.command(f"TRUNCATE TABLE {table}")

        def written() -> Lanes:
            return {int(lane): int(points or 0) for lane, points in client.query(PROGRESS).result_rows}

        with parts.job("metrics", "jobs.metrics", parts.topic_argument("points")):
            course = follow(written, points, parts.cpu, SECONDS)
    click.echo(f"{course.rate:,.0f} points/s, {course.cpu_us:.2f} us a point\n{course.table()}")
    check(parts.settings, points, expected)
    return course


def check(settings: Settings, points: int, expected: dict[int, tuple[int, float]]) -> None:
    """BenchmarkFailed when a minute's bins, or the number of points kept, is wrong."""
    with clickhouse.connect(settings) as client:
        written = {minute: (int(number), total) for minute, number, total in client.query(WRITTEN).result_rows}
        kept = client.query("SELECT count() FROM points FINAL").result_rows[0][0]
    if kept != points:
        raise BenchmarkFailed(f"{kept} points of {points} are kept")
    wrong = [minute for minute in expected.keys() | written.keys() if expected.get(minute) != written.get(minute)]
    if wrong:
        raise BenchmarkFailed(f"{len(wrong)} of {len(expected)} minutes are wrong, such as {wrong[0]}")


def rival(parts: Stack, points: int) -> Course:
    """One run of the rival, by what its source has handed on."""
    with parts.job(RIVAL_JOB, "rivals.flink_sql_points", [parts.settings.bootstrap_servers, RIVAL_TOPIC]):
        course = follow(lambda: sources.handed_on(parts.settings), points, parts.cpu, SECONDS)
    click.echo(f"rival: {course.rate:,.0f} points/s, {course.cpu_us:.2f} us a point")
    return course
