"""Runs the pipeline `aggregates` from Kafka into ClickHouse, and Flink SQL over the same events, on one stack."""

import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import click
import pyarrow as pa

from benchmarks.failed import at_least
from benchmarks.results import Result
from benchmarks.rig import log, sources, stack, stages
from benchmarks.rig.counted import Counted
from benchmarks.rig.events import Stream
from benchmarks.rig.log import Payload
from benchmarks.rig.progress import Course, Lanes, follow
from benchmarks.rig.stack import Stack
from contracts.codec import encode_lines
from contracts.events import tags_of
from stores import clickhouse

RUNS: Final = 3
SECONDS: Final = 240.0  # at most, of one run
RIVAL: Final = "Flink SQL, one JSON object a record, TUMBLE, blackhole"
RIVAL_JOB: Final = "rival-flink-sql"
RIVAL_EVENTS: Final = 4_000_000  # the first of the same: filling its topic takes longer than reading it
RIVAL_TOPIC: Final = "one-tag-a-record"
PROGRESS: Final = "SELECT partition, sum(lines) FROM blocks FINAL GROUP BY partition"


def measure(
    name: str, stream: Stream, rows: int, encode: Callable[[pa.RecordBatch], bytes], least: float = 0.0
) -> list[Result]:
    """The medians of three runs of ours and of the rival's over the same events, `rows` of them a record of ours, after
    one run of each that does not count.

    EVENTS and RUNS in the environment make it shorter. Rows are checked after each run. BenchmarkFailed when ours is
    less than `least` times the rival.
    """
    stream = replace(stream, events=int(os.environ.get("EVENTS") or stream.events))
    runs = int(os.environ.get("RUNS") or RUNS)
    click.echo(f"seed {stream.seed}: {stream.events} events, groups a minute: {stream.groups or 'as many as events'}")
    with stack.running(name) as parts:
        counted = Counted()
        log.fill(parts.settings, parts.settings.topics.user_tags, payloads(stream, rows, encode, counted))
        ours = [count(parts, stream.events, counted) for _ in range(1 + runs)][1:]  # the first warms the JVM
        click.echo(stages.table(stream, rows, encode, parts.settings))
        topic = log.create(parts.settings, RIVAL_TOPIC, parts.settings.topics.user_tags.partitions)
        less = replace(stream, events=min(stream.events, RIVAL_EVENTS))
        log.fill(parts.settings, topic, one_a_record(less))
        theirs = [rival(parts, less.events) for _ in range(1 + runs)][1:]
    best = sorted(ours, key=lambda course: course.rate)[runs // 2]
    other = statistics.median(course.rate for course in theirs)
    return [at_least(Result(name, best.rate, "events/s", RIVAL, other, best.cpu_us), least)]


def payloads(
    stream: Stream, rows: int, encode: Callable[[pa.RecordBatch], bytes], counted: Counted
) -> Iterator[Payload]:
    """The stream as records; counts what passes."""
    for events in stream.batches(rows):
        counted.add(events)
        yield Payload(encode(events), events.column("time")[-1].as_py())


def one_a_record(stream: Stream) -> Iterator[Payload]:
    """The stream as JSON, a record for each event."""
    for events in stream.batches(5000):
        tags, times = tags_of(events), events.column("time").to_pylist()
        for line, time in zip(encode_lines(tags).splitlines(), times, strict=True):
            yield Payload(line, time)


def count(parts: Stack, events: int, counted: Counted) -> Course:
    """One run of our pipeline, over tables that were emptied."""
    with clickhouse.connect(parts.settings) as client:
        for table in ("aggregates_1m", "blocks"):
            client.command(f"TRUNCATE TABLE {table}")

        def written() -> Lanes:
            return {int(partition): int(lines) for partition, lines in client.query(PROGRESS).result_rows}

        with parts.job("aggregates", "jobs.aggregates", parts.topic_argument()):
            course = follow(written, events, parts.cpu, SECONDS)
    click.echo(f"{course.rate:,.0f} events/s, {course.cpu_us:.2f} us an event\n{course.table()}")
    counted.check(parts.settings)
    return course


def rival(parts: Stack, events: int) -> Course:
    """One run of the rival, by what its source has handed on."""
    with parts.job(RIVAL_JOB, "rivals.flink_sql", [parts.settings.bootstrap_servers, RIVAL_TOPIC]):
        course = follow(lambda: sources.handed_on(parts.settings), events, parts.cpu, SECONDS)
    click.echo(f"rival: {course.rate:,.0f} events/s, {course.cpu_us:.2f} us an event")
    return course
