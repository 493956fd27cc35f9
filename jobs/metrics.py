"""Pipeline `metrics`: points to ClickHouse as they came, and as bins of seconds and minutes; closed bins to `series`.

Two operators read the same records. The archive writes points and the names of their series, and reports what cannot be
read. The counter adds points to the bins of the partition's open block, as `aggregates` does with tags.
"""

import logging
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
from pyflink.datastream.time_domain import TimeDomain

from analysis import arrow, bin_partials
from analysis.bin_counting import BinCount, FoldedBins, fold
from analysis.bin_partials import RESOLUTIONS
from contracts import dead_letters
from contracts.codec import Record
from contracts.names import BINS_TABLE, POINT_BLOCKS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import decode_points
from contracts.points import Series
from contracts.series import Progress
from contracts.settings import Jobs, Settings
from jobs.buffer import Bounds, PartitionBuffer, WriteFailed, clamp
from jobs.closer import MinuteCloser
from jobs.flink import BLOB, Pipeline, Source
from jobs.point_rows import DAY_MS, bin_rows, block_rows, point_rows, series_rows
from jobs.run import run
from jobs.writer import Writer

NAME = "metrics"
KNOWN_SERIES = 1_000_000  # that an archive remembers to have written
logger = logging.getLogger(__name__)


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    partitions = pipeline.partitions(source)
    rejects = pipeline.process(records, PointArchive(settings, source, partitions))
    pipeline.to_kafka(rejects, settings.topics.dead_letters, exactly_once=True)
    partials = pipeline.process(records, BinCounter(settings, source, partitions), Types.ROW([Types.INT(), BLOB()]))
    shards = partials.key_by(lambda partial: partial[0], key_type=Types.INT())
    closed = pipeline.process(shards, BinCloser(settings.jobs))
    pipeline.to_kafka(closed, settings.topics.series, exactly_once=False, table="closed")


def main() -> None:
    """The pipeline as a job of its own."""
    run(NAME, build, ["points"])


class PointArchive(PartitionBuffer):
    """Writes to the tables `points` and `point_series`; yields (key, value) of a dead letter for each reject."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.archive_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._topic, self._topic_id = source.topic.name, source.topic_id
        self._known: dict[int, int] = {}  # the day each series was last written for: saves writing it again

    def open(self, runtime_context: RuntimeContext) -> None:
        self._writer = Writer(self._settings)
        super().open(runtime_context)

    def flush(self, partition: int, records: list[Record]) -> Iterator[Row]:
        points, series, rejects = decode_points(records)
        if points.num_rows:
            # Names first: a point of a series without a name would be found by nobody.
            self._write_names(series, max(record.ingested for record in records) // DAY_MS)
            self._writer.insert(POINTS_TABLE, point_rows(points, self._topic_id, partition))
        for reject in rejects:
            longest = self._settings.kafka.max_record_bytes
            letter = dead_letters.letter(self._topic, self._topic_id, partition, reject, longest)
            yield Row(letter.id, dead_letters.encode(letter))

    def _write_names(self, series: dict[int, Series], day: int) -> None:
        new = [one for identity, one in series.items() if self._known.get(identity, -1) < day]
        self._writer.insert(POINT_SERIES_TABLE, series_rows(new, day))
        if len(self._known) > KNOWN_SERIES:
            self._known.clear()
        self._known.update((one.id, day) for one in new)


class BinCounter(PartitionBuffer):
    """Counts each partition by blocks; yields (key of `BinCloser`, partial) of what it counted."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.aggregates_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._topic_id = source.topic_id
        self._fine = {1: jobs.second_metrics, 10: jobs.ten_second_metrics}
        self._shortest = 1000 * (min(RESOLUTIONS) if jobs.ten_second_metrics else max(RESOLUTIONS))
        self._timers: dict[int, int] = {}  # the last slot with a timer by key: saves setting it anew

    def open(self, runtime_context: RuntimeContext) -> None:
        self._open = runtime_context.get_state(ValueStateDescriptor("open", BLOB()))
        self._closed = runtime_context.get_list_state(ListStateDescriptor("closed", BLOB()))  # not yet written
        self._writer = Writer(self._settings)
        super().open(runtime_context)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # A bin's partials must be on their way before the watermark that closes it: Flink fires this timer before it
        # hands the watermark on.
        slot = clamp(value[2].to_epoch_milli()) // self._shortest
        key = ctx.get_current_key()
        if key not in self._timers:  # the first record since a start, a tick perhaps: the closers may lack timers, too
            yield from self._wake_closers()
        if self._timers.get(key) != slot:
            ctx.timer_service().register_event_time_timer((slot + 1) * self._shortest - 1)
            self._timers[key] = slot
        yield from super().process_element(value, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            # Writing is left to the timer of the clock: a replay passes thousands of minutes within seconds.
            yield from self.flush_now(ctx, self._fold_only)
        else:
            yield from super().on_timer(timestamp, ctx)

    def flush(self, partition: int, records: list[Record]) -> Iterator[Row]:
        """Folds the records into the open block and tries to write; rows that are not taken stay in state.

        Raises WriteFailed only when closed blocks that wait are at the bound on bytes.
        """
        waiting = self._waiting(partition)
        folded = self._fold(records)
        if folded.counts:
            *closed, current = folded.counts
            try:
                self._write(partition, [*waiting, *closed, current])
            except WriteFailed as error:
                logger.warning("partition %d: blocks wait: %s", partition, error)
            else:
                self._closed.clear()
                closed, current = [], current._replace(written=current.block.last)
            self._keep(closed, current)
        yield from self._partials(folded)

    def has_backlog(self) -> bool:
        if any(True for _ in self._closed.get()):
            return True
        state = self._open.value()
        return bool(state) and BinCount.load(state).unwritten().num_rows > 0

    def _waiting(self, partition: int) -> list[BinCount]:
        """The closed blocks that wait; beyond the bound they are written here, or no more are taken."""
        blobs = list(self._closed.get())
        waiting = [BinCount.load(blob) for blob in blobs]
        if sum(map(len, blobs)) <= self._bounds.buffer_bytes:
            return waiting
        self._write(partition, waiting)
        self._closed.clear()
        return []

    def _fold_only(self, partition: int, records: list[Record]) -> Iterator[Row]:
        folded = self._fold(records)
        if folded.counts:
            self._keep(folded.counts[:-1], folded.counts[-1])
        yield from self._partials(folded)

    def _fold(self, records: list[Record]) -> FoldedBins:
        state = self._open.value()
        return fold(BinCount.load(state) if state else None, records, self._fine)

    def _keep(self, closed: list[BinCount], current: BinCount) -> None:
        for count in closed:
            self._closed.add(count.dump())
        self._open.update(current.dump())

    def _wake_closers(self) -> Iterator[Row]:
        for key in range(self._settings.jobs.series_shards * len(RESOLUTIONS)):
            yield Row(key, arrow.dump(bin_partials.NO_PARTIAL))

    def _partials(self, folded: FoldedBins) -> Iterator[Row]:
        for key, rows in bin_partials.shards(folded.partial, self._settings.jobs.series_shards).items():
            yield Row(key, arrow.dump(rows))

    def _write(self, partition: int, counts: list[BinCount]) -> None:
        # Rows first: a block that is listed says that all rows of the blocks before it are there.
        self._writer.insert(BINS_TABLE, bin_rows(counts, self._topic_id, partition))
        self._writer.insert(
            POINT_BLOCKS_TABLE, block_rows([count.block for count in counts], self._topic_id, partition)
        )


class BinCloser(MinuteCloser):
    """Takes (key, partial), the key a shard and a resolution as `bin_partials.shards` makes it."""

    partials = bin_partials

    def __init__(self, jobs: Jobs) -> None:
        super().__init__(jobs)
        self._lateness = jobs.points_lateness_minutes * 60_000

    def resolution(self, key: int) -> int:
        return RESOLUTIONS[key % len(RESOLUTIONS)] * 1000

    def progress(self, key: int, through: int) -> Progress:
        return Progress(key // len(RESOLUTIONS), self._shards, self.resolution(key), through, "points")

    def record_key(self, key: int) -> str:
        return f"points-{key // len(RESOLUTIONS)}"


if __name__ == "__main__":
    main()
