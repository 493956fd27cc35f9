"""Closed bins from topic `series` to scores in ClickHouse: 20,000 series, each scored once a minute, the shipped rules
in force.

The rival keeps a mean and a variance for each series, and scores with them. MINUTES and RUNS make it shorter.
"""

import os
import random
import statistics
from collections.abc import Iterator
from typing import Final

import click
import numpy as np

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig import log, sources, stack
from benchmarks.rig.log import Payload
from benchmarks.rig.progress import Course, Lanes, follow
from benchmarks.rig.stack import Stack
from cli import rule_topic
from contracts import series
from contracts.names import DETECTION_JOB, SCORED_BINS_TABLE
from contracts.series import Bin, Message, Progress
from contracts.times import MINUTE_MS
from stores import clickhouse
from testbed.generator import START_MS

SERIES: Final = 20_000
MINUTES: Final = 40
RUNS: Final = 3
SEED: Final = 1
SECONDS: Final = 300.0  # at most, of one run
BINS_A_RECORD: Final = 2000
METRIC: Final = "user_tags_views"
RIVAL: Final = "PyFlink, key_by series, mean and variance in state"
RIVAL_JOB: Final = "rival-keyed-scores"
RIVAL_MINUTES: Final = 10
RIVAL_TOPIC: Final = "one-bin-a-record"
WRITTEN: Final = f"SELECT count() FROM {SCORED_BINS_TABLE}"  # noqa: S608  # our own table


def run() -> list[Result]:
    """On a stack of its own. BenchmarkFailed when not each bin is scored once."""
    minutes, runs = int(os.environ.get("MINUTES") or MINUTES), int(os.environ.get("RUNS") or RUNS)
    click.echo(f"seed {SEED}: {SERIES} series, {minutes} minutes")
    with stack.running("scored") as parts:
        topic = parts.settings.topics.series
        rule_topic.ship(parts.settings)
        log.fill(parts.settings, topic, closed(minutes, topic.partitions))
        ours = [score(parts, SERIES * minutes) for _ in range(runs)]
        fewer = min(minutes, RIVAL_MINUTES)
        other = log.create(parts.settings, RIVAL_TOPIC, topic.partitions)
        log.fill(parts.settings, other, one_a_record(fewer))
        theirs = [rival(parts, SERIES * fewer) for _ in range(runs)]
    best = sorted(ours, key=lambda course: course.rate)[runs // 2]
    rate = statistics.median(course.rate for course in theirs)
    click.echo(f"{SERIES} series a minute are {SERIES / 60 / best.rate:.1%} of that")
    return [Result("scored", best.rate, "bins/s", RIVAL, rate, best.cpu_us)]


def bins(minutes: int) -> Iterator[list[Bin]]:
    """Those of each minute, a bin a series: counts around a level of its own."""
    dice = np.random.default_rng(SEED)
    levels = dice.uniform(5, 500, SERIES)
    for minute in range(minutes):
        counts = dice.poisson(levels).tolist()
        start = START_MS // MINUTE_MS * MINUTE_MS + minute * MINUTE_MS
        yield [
            Bin(METRIC, {"brand": f"brand-{number}"}, MINUTE_MS, start, count, count, count)
            for number, count in enumerate(counts)
        ]


def closed(minutes: int, shards: int) -> Iterator[Payload]:
    """As the job `data` writes them: the bins of a shard's minute, some a record, and at last that it is closed."""
    for all_of_minute in bins(minutes):
        end = all_of_minute[0].start + MINUTE_MS
        for first in range(0, -(-SERIES // shards), BINS_A_RECORD):
            for shard in range(shards):
                mine = all_of_minute[shard::shards]
                some: list[Message] = [*mine[first : first + BINS_A_RECORD]]
                if first + BINS_A_RECORD >= len(mine):
                    some.append(Progress(shard, shards, MINUTE_MS, end))
                yield Payload(series.encode(some), end)


def one_a_record(minutes: int) -> Iterator[Payload]:
    """Each bin by itself, in an order that is no series' own."""
    dice = random.Random(SEED)  # noqa: S311  # repeatable
    for all_of_minute in bins(minutes):
        for one in dice.sample(all_of_minute, len(all_of_minute)):
            yield Payload(series.encode([one]), one.start + MINUTE_MS)


def score(parts: Stack, total: int) -> Course:
    """One run of the job `detection`, into an empty table."""
    with clickhouse.connect(parts.settings) as client:
        client.command(f"TRUNCATE TABLE {SCORED_BINS_TABLE}")

        def written() -> Lanes:
            return {0: int(client.query(WRITTEN).result_rows[0][0])}

        with parts.job(DETECTION_JOB, "jobs.detection", parts.topic_argument("series")):
            course = follow(written, total, parts.cpu, SECONDS)
        found = client.query(f"SELECT count(), uniqExact(series, start) FROM {SCORED_BINS_TABLE}").result_rows  # noqa: S608  # our own table
    if found != [(total, total)]:
        raise BenchmarkFailed(f"{found} rows and bins are written, of {total}")
    click.echo(f"{course.rate:,.0f} bins/s, {course.cpu_us:.1f} us a bin\n{course.table()}")
    return course


def rival(parts: Stack, total: int) -> Course:
    """One run of the rival, by what its source has handed on."""
    with parts.job(RIVAL_JOB, "rivals.keyed_scores", [parts.settings.bootstrap_servers, RIVAL_TOPIC]):
        course = follow(lambda: sources.handed_on(parts.settings), total, parts.cpu, SECONDS)
    click.echo(f"rival: {course.rate:,.0f} bins/s, {course.cpu_us:.1f} us a bin")
    return course
