"""Where the time of counting goes: each stage of the pipeline `aggregates` by itself, in this process, on one core."""

import time
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

import pyarrow as pa

from analysis import arrow, groups, series
from analysis.blocks import cut
from analysis.counting import Count
from benchmarks.rig.events import Stream
from contracts.codec import Record, count_lines, decode
from contracts.events import COUNTED_SCHEMA
from contracts.names import AGGREGATES_TABLE
from contracts.settings import Settings
from jobs.aggregates import aggregate_rows
from jobs.writer import Writer

FLUSHES: Final = 8
FLUSH_EVENTS: Final = 60_000  # about what `jobs.flush_bytes` of Arrow records hold
TIMES: Final = 3
TOPIC: Final = UUID(int=1)

T = TypeVar("T")


class Stages:
    """Runs each stage a few times and keeps the shortest."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._lines: list[str] = []

    def run(self, name: str, stage: Callable[[], T]) -> T:
        """The stage's result; notes its CPU in this process."""
        taken = []
        for _ in range(TIMES):
            begin = time.process_time()
            result = stage()
            taken.append(time.process_time() - begin)
        self._lines.append(f"{name:24}{min(taken) / self._events * 1e6:>8.3f}")
        return result

    def table(self) -> str:
        return "\n".join([f"{'stage':24}{'us/event':>8}", *self._lines])


def table(stream: Stream, rows: int, encode: Callable[[pa.RecordBatch], bytes], settings: Settings) -> str:
    """Microseconds of one core an event and stage; ClickHouse's own time is not in it."""
    flushes = [_records(stream, first * FLUSH_EVENTS, rows, encode) for first in range(FLUSHES)]
    stages = Stages(FLUSHES * FLUSH_EVENTS)
    stages.run("count lines", lambda: [count_lines(record.payload) for records in flushes for record in records])
    decoded = stages.run("decode and judge", lambda: [decode(records, COUNTED_SCHEMA).events for records in flushes])
    events = [groups.with_minute(one) for one in decoded]
    grouped = stages.run("group", lambda: [groups.group(one) for one in events])
    both = list(zip(events, grouped, strict=True))
    partials = stages.run("series", lambda: [series.partial(one, group) for one, group in both])
    stages.run("shards of the series", lambda: [series.shards(series.add([one]), 2) for one in partials])
    stages.run("state", lambda: [arrow.load(arrow.dump(one)) for one in grouped])
    summed = stages.run("sum of a block", lambda: groups.total(grouped))
    block = next(iter(cut(None, flushes[0]))).block
    counted = stages.run("rows", lambda: aggregate_rows(Count(block, [summed], -1), TOPIC, 0))
    writer = Writer(settings)
    stages.run("insert, our side", lambda: writer.insert(AGGREGATES_TABLE, counted))
    return stages.table()


def _records(stream: Stream, first: int, rows: int, encode: Callable[[pa.RecordBatch], bytes]) -> list[Record]:
    made = []
    for at in range(first, first + FLUSH_EVENTS, rows):
        events = stream.batch(at, rows)
        newest = events.column("time")[-1].as_py()
        made.append(Record(at, newest, newest, encode(events)))
    return made
