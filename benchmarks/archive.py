"""Tags from Kafka into the archive in ClickHouse, where they can be asked for one by one: Arrow records of 5,000."""

import os
from collections.abc import Iterator
from typing import Final

import click
import pyarrow.compute as pc

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig import log, stack
from benchmarks.rig.events import Stream
from benchmarks.rig.log import Payload
from benchmarks.rig.progress import Lanes, follow
from contracts.codec import encode_arrow
from stores import clickhouse

SEED: Final = 6
EVENTS: Final = 6_000_000
ROWS: Final = 5000  # a record
SECONDS: Final = 300.0
PROGRESS: Final = "SELECT partition, count() FROM user_tags GROUP BY partition"
KEPT: Final = "SELECT count(), sum(price) FROM user_tags FINAL"
STORED: Final = """
SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'user_tags'
"""


def run() -> list[Result]:
    """One run; EVENTS makes it shorter. BenchmarkFailed when the archive does not hold what was sent."""
    stream = Stream(SEED, int(os.environ.get("EVENTS") or EVENTS), a_minute=1_000_000, groups=10_000)
    click.echo(f"seed {SEED}: {stream.events} events of {stream.cookies} cookies")
    prices: list[int] = []
    with stack.running("archive") as parts, clickhouse.connect(parts.settings, timeout=SECONDS) as client:
        log.fill(parts.settings, parts.settings.topics.user_tags, _payloads(stream, prices))

        def written() -> Lanes:
            return {int(partition): int(rows) for partition, rows in client.query(PROGRESS).result_rows}

        with parts.job("archive", "jobs.archive", parts.topic_argument()):
            course = follow(written, stream.events, parts.cpu, SECONDS)
        click.echo(course.table())
        kept = tuple(client.query(KEPT).result_rows[0])
        if kept != (stream.events, sum(prices)):
            raise BenchmarkFailed(f"{stream.events} events with prices of {sum(prices)} sent, in the archive {kept}")
        client.command("OPTIMIZE TABLE user_tags FINAL")
        size = float(client.query(STORED).result_rows[0][0])
    return [
        Result("archive", course.rate, "events/s", cpu_us=course.cpu_us),
        Result("archive.disk", size, "bytes an event"),
    ]


def _payloads(stream: Stream, prices: list[int]) -> Iterator[Payload]:
    """The stream as records; notes the sum of each one's prices."""
    for events in stream.batches(ROWS):
        prices.append(pc.sum(events.column("price")).as_py())
        yield Payload(encode_arrow(events), events.column("time")[-1].as_py())
