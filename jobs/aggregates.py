"""Pipeline `aggregates`: what happened in each minute, into ClickHouse and, once a minute is over, to `series`.

Counts go by blocks of the log: rows are written every few seconds for the groups that changed, need no watermark,
and come out the same however often they are written. Under load much is read between two writes, so that a group that
changes all the time does not become a row with each piece. Series go by Flink's event time: each partition's partials
meet at a shard, which closes a minute when the watermark of all partitions has passed it.
"""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
from pyflink.datastream.time_domain import TimeDomain

from analysis import arrow, series
from analysis.counting import Count, fold
from contracts import coded
from contracts.codec import Record
from contracts.names import AGGREGATES_TABLE, BLOCKS_TABLE
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from jobs.buffer import Bounds, PartitionBuffer, WriteFailed, clamp
from jobs.closer import MinuteCloser
from jobs.flink import BLOB, Pipeline, Source
from jobs.run import run
from jobs.writer import Writer

NAME = "aggregates"
logger = logging.getLogger(__name__)


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    counter = Counter(settings, source, pipeline.partitions(source))
    partials = pipeline.process(records, counter, Types.ROW([Types.INT(), BLOB()]))
    shards = partials.key_by(lambda partial: partial[0], key_type=Types.INT())
    closed = pipeline.process(shards, MinuteCloser(settings.jobs))
    pipeline.to_kafka(closed, settings.topics.series, exactly_once=False)


def main() -> None:
    """The pipeline as a job of its own."""
    run(NAME, build)


class Counter(PartitionBuffer):
    """Counts each partition by blocks; yields (shard, partial of the series) of what it counted."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.aggregates_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._topic_id = source.topic_id
        self._timers: dict[int, int] = {}  # the last minute with a timer by key: saves setting it anew

    def open(self, runtime_context: RuntimeContext) -> None:
        self._open = runtime_context.get_state(ValueStateDescriptor("open", BLOB()))  # the block that goes on
        self._runs = runtime_context.get_list_state(ListStateDescriptor("runs", BLOB()))  # what was counted of it
        self._closed = runtime_context.get_list_state(ListStateDescriptor("closed", BLOB()))  # not yet written
        self._writer = Writer(self._settings)
        super().open(runtime_context)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # The minute's partials must be on their way before the watermark that closes it: Flink fires this timer
        # before it hands the watermark on.
        minute = clamp(value[2].to_epoch_milli()) // MINUTE_MS
        key = ctx.get_current_key()
        if key not in self._timers:  # the first record since a start, a tick perhaps: the closers may lack timers, too
            yield from self._wake_closers()
        if self._timers.get(key) != minute:
            ctx.timer_service().register_event_time_timer((minute + 1) * MINUTE_MS - 1)
            self._timers[key] = minute
        yield from super().process_element(value, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            # Writing is left to the timer of the clock: a replay passes thousands of minutes within seconds.
            yield from self.flush_now(ctx, self.relieve)
        else:
            yield from super().on_timer(timestamp, ctx)

    def flush(self, partition: int, records: list[Record]) -> Iterator[Row]:
        """Folds the records into the open block and tries to write; rows that are not taken stay in state.

        Raises WriteFailed only when closed blocks that wait are at the bound on bytes.
        """
        return self._take(partition, records, 0)

    def relieve(self, partition: int, records: list[Record]) -> Iterator[Row]:
        """Folds as `flush` does, and leaves writing to the timer of the clock unless much waits for it."""
        return self._take(partition, records, self._settings.jobs.unwritten_bytes)

    def _take(self, partition: int, records: list[Record], least: int) -> Iterator[Row]:
        """Folds, and tries to write when at least so many bytes of groups wait."""
        waiting, before = self._waiting(partition), self._current()
        counts, partial = fold(before, records)
        if counts:
            *closed, current = counts
            if bytes_to_write([*waiting, *closed], current) >= least:
                before, current = None, current.summed()
                if self._wrote(partition, [*waiting, *closed, current]):
                    closed, current = [], current._replace(written=current.block.last)
            self._keep(closed, current, before)
        yield from self._partials(partial)

    def _wrote(self, partition: int, counts: list[Count]) -> bool:
        try:
            self._write(partition, counts)
        except WriteFailed as error:
            logger.warning("partition %d: blocks wait: %s", partition, error)
            return False
        self._closed.clear()
        return True

    def has_backlog(self) -> bool:
        if any(True for _ in self._closed.get()):
            return True
        current = self._current()
        return current is not None and current.written < current.block.last

    def _waiting(self, partition: int) -> list[Count]:
        """The closed blocks that wait; beyond the bound they are written here, or no more are taken."""
        blobs = list(self._closed.get())
        waiting = [Count.load(blob) for blob in blobs]
        if sum(map(len, blobs)) <= self._bounds.buffer_bytes:
            return waiting
        self._write(partition, waiting)
        self._closed.clear()
        return []

    def _current(self) -> Count | None:
        """The open block as state has it; None at the very beginning."""
        head = self._open.value()
        return Count.load(head, self._runs.get()) if head else None

    def _keep(self, closed: list[Count], current: Count, before: Count | None = None) -> None:
        """Puts the counts into state; `before`: what state holds of the open block, to which only runs were added."""
        for count in closed:
            self._closed.add(count.dump())
        goes_on = before is not None and before.block.start == current.block.start
        known = len(list(self._runs.get())) if goes_on else 0
        if not goes_on:
            self._runs.clear()
        for added in current.runs[known:]:
            self._runs.add(arrow.dump(added))
        self._open.update(current.head())

    def _wake_closers(self) -> Iterator[Row]:
        for shard in range(self._settings.jobs.series_shards):
            yield Row(shard, arrow.dump(series.NO_PARTIAL))

    def _partials(self, partial: pa.Table) -> Iterator[Row]:
        for shard, rows in series.shards(partial, self._settings.jobs.series_shards).items():
            yield Row(shard, arrow.dump(rows))

    def _write(self, partition: int, counts: list[Count]) -> None:
        # Rows first: a block that is listed says that all rows of the blocks before it are there.
        rows = [aggregate_rows(count, self._topic_id, partition) for count in counts]
        self._writer.insert(AGGREGATES_TABLE, coded.table(rows, rows[0].schema))
        self._writer.insert(BLOCKS_TABLE, block_rows(counts, self._topic_id, partition))


def bytes_to_write(closed: list[Count], current: Count) -> int:
    """Of all closed blocks, and of the open one's runs that came since it was written, which left it one run."""
    runs = [*(table for count in closed for table in count.runs), *current.runs[current.written >= 0 :]]
    return sum(table.nbytes for table in runs)


def aggregate_rows(count: Count, topic_id: UUID, partition: int) -> pa.Table:
    """The unwritten groups as rows of the table `aggregates_1m`."""
    groups = count.unwritten()
    length = groups.num_rows
    return pa.table(
        {
            "minute": _seconds(groups["minute"]),
            **{name: groups[name] for name in ("action", "origin", "brand_id", "category_id")},
            "topic_id": pa.repeat(str(topic_id), length),
            "partition": pa.repeat(pa.scalar(partition, pa.uint16()), length),
            "block": pa.repeat(pa.scalar(count.block.start, pa.int64()), length),
            **{name: groups[name] for name in ("version", "count", "sum_price")},
            "ingested": pa.repeat(pa.scalar(count.block.ingested, pa.timestamp("ms", tz="UTC")), length),
        }
    )


def block_rows(counts: list[Count], topic_id: UUID, partition: int) -> pa.Table:
    """The blocks as rows of the table `blocks`."""
    blocks = [count.block for count in counts]
    return pa.table(
        {
            "topic_id": pa.repeat(str(topic_id), len(blocks)),
            "partition": pa.repeat(pa.scalar(partition, pa.uint16()), len(blocks)),
            "block": [block.start for block in blocks],
            "last_offset": [block.last for block in blocks],
            "lines": [block.lines for block in blocks],
            "minute": _seconds(pa.array([block.minute for block in blocks], pa.int64())),
            "ingested": pa.array([block.ingested for block in blocks], pa.timestamp("ms", tz="UTC")),
        }
    )


def _seconds(minutes: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Minutes since the epoch as ClickHouse's DateTime wants them: seconds in 32 bits."""
    return pc.multiply(minutes, 60).cast(pa.uint32())


if __name__ == "__main__":
    main()
