"""Pipeline `metrics`: points to ClickHouse as they came, and as bins of seconds and minutes; closed bins to `series`.

Two operators read the same records. The archive writes points and the names of their series, and reports what cannot be
read. The counter adds points to the bins of the partition's open block, as `aggregates` does with tags.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyflink.common import Row, Types
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment

from analysis import bin_partials
from analysis.bin_counting import BinCount, fold
from analysis.bin_partials import RESOLUTIONS
from contracts import dead_letters
from contracts.codec import Record
from contracts.names import BINS_TABLE, POINT_BLOCKS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import decode_points
from contracts.points import Series
from contracts.series import Progress
from contracts.settings import Jobs, Settings
from contracts.times import DAY_MS
from jobs.buffer import Bounds, PartitionBuffer
from jobs.closer import MinuteCloser
from jobs.counter import BlockCounter
from jobs.flink import BLOB, Pipeline, Source
from jobs.point_rows import bin_rows, block_rows, point_rows, series_rows
from jobs.run import run
from jobs.writer import Writer

NAME = "metrics"
KNOWN_SERIES = 1_000_000  # that an archive remembers to have written


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


class BinCounter(BlockCounter[BinCount]):
    """Counts points. Bins are added up as points come, never run by run: sums of floats would depend on the pieces."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        shortest = min(RESOLUTIONS) if jobs.ten_second_metrics else max(RESOLUTIONS)
        super().__init__(settings, source, partitions, shortest * 1000)
        self._fine = {1: jobs.second_metrics, 10: jobs.ten_second_metrics}

    def load(self, data: bytes) -> BinCount:
        return BinCount.load(data)

    def current(self) -> BinCount | None:
        state = self._open.value()
        return BinCount.load(state) if state else None

    def keep(self, current: BinCount, before: BinCount | None) -> None:
        self._open.update(current.dump())

    def fold(self, count: BinCount | None, records: list[Record]) -> tuple[list[BinCount], dict[int, pa.Table]]:
        counts, partial = fold(count, records, self._fine)
        return counts, bin_partials.shards(partial, self._settings.jobs.series_shards)

    def bytes_to_write(self, closed: Sequence[BinCount], current: BinCount) -> int:
        return sum(count.unwritten().nbytes for count in [*closed, current])

    def noted(self, current: BinCount) -> BinCount:
        return current._replace(written=current.block.last)

    def nothing(self) -> dict[int, pa.Table]:
        keys = range(self._settings.jobs.series_shards * len(RESOLUTIONS))
        return dict.fromkeys(keys, bin_partials.NO_PARTIAL)

    def write(self, partition: int, counts: Sequence[BinCount]) -> None:
        self._writer.insert(BINS_TABLE, bin_rows(counts, self._topic_id, partition))
        blocks = [count.block for count in counts]
        self._writer.insert(POINT_BLOCKS_TABLE, block_rows(blocks, self._topic_id, partition))


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
