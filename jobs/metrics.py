"""Pipeline `metrics`: points to ClickHouse as they came, and as bins of seconds and minutes; closed bins to `series`.

One operator does both, as decoding costs as much as counting: it writes points and the names of their series, reports
what cannot be read, and adds points to the bins of the partition's open block, as `aggregates` does with tags.
"""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, Types
from pyflink.datastream import OutputTag, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor

from analysis import bin_partials
from analysis.bin_counting import BinCount, fold
from analysis.bin_partials import RESOLUTIONS
from contracts import dead_letters
from contracts.codec import Record, Reject
from contracts.names import BINS_TABLE, POINT_BLOCKS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import DecodedPoints, decode_points
from contracts.point_names import may_name
from contracts.points import Series
from contracts.series import Progress
from contracts.settings import Jobs, Settings
from contracts.times import DAY_MS, MINUTE_MS, NO_TIME_MS
from jobs.buffer import WriteFailed, pack, unpack
from jobs.closer import MinuteCloser
from jobs.counter import BlockCounter, partial_rows
from jobs.flink import BLOB, Pipeline, Source
from jobs.point_rows import bin_rows, block_rows, point_rows, series_rows
from jobs.run import run
from jobs.watched_metrics import WatchedMetrics
from jobs.writer import Writer

NAME = "metrics"
KNOWN_SERIES = 1_000_000  # that a keeper remembers to have written
logger = logging.getLogger(__name__)


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    counter = PointCounter(settings, source, pipeline.partitions(source))
    partials = pipeline.process(records, counter, Types.ROW([Types.INT(), BLOB()]))
    pipeline.to_kafka(partials.get_side_output(letters()), settings.topics.dead_letters, exactly_once=True)
    shards = partials.key_by(lambda partial: partial[0], key_type=Types.INT())
    closed = pipeline.process(shards, BinCloser(settings.jobs))
    pipeline.to_kafka(closed, settings.topics.series, exactly_once=False, table="closed")


def letters() -> OutputTag:
    """Of the dead letters beside the partials; made on demand, as Flink's types cannot be pickled."""
    return OutputTag("letters", Types.ROW([Types.STRING(), Types.STRING()]))


def main() -> None:
    """The pipeline as a job of its own."""
    run(NAME, build, ["points"])


class PointCounter(BlockCounter[BinCount]):
    """Keeps points, and counts them; yields partials, and beside them (key, value) of a dead letter for each reject.

    Points that ClickHouse does not take are counted all the same: their records wait in state.
    """

    least_bin = min(RESOLUTIONS) * 1000

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        super().__init__(settings, source, partitions)
        self._topic = source.topic.name

    def open(self, runtime_context: RuntimeContext) -> None:
        self._behind = runtime_context.get_list_state(ListStateDescriptor("behind", BLOB()))  # counted, not yet kept
        self._letters = letters()
        self._keeper = PointKeeper(self._settings, self._topic_id)
        self._watched = WatchedMetrics(self._settings)
        super().open(runtime_context)

    def shortest_bin(self, payload: bytes, event_time: int) -> int:
        """Mostly a minute: a replay that stopped at each ten seconds of the log would write pieces a sixth as large."""
        return self.least_bin if may_name(payload, self._watched.at(event_time).names) else MINUTE_MS

    def load(self, data: bytes) -> BinCount:
        return BinCount.load(data)

    def current(self) -> BinCount | None:
        state = self._open.value()
        return BinCount.load(state) if state else None

    def keep(self, current: BinCount, before: BinCount | None) -> None:
        self._open.update(current.dump())

    def fold(self, partition: int, count: BinCount | None, records: list[Record]) -> tuple[list[BinCount], list[Any]]:
        newest = max((record.event_time for record in records), default=NO_TIME_MS)
        folded = fold(count, records, self._watched.at(newest).fine)
        rejects = self._kept(partition, records, folded.decoded)
        partials = bin_partials.shards(folded.partial, folded.series, self._settings.jobs.series_shards)
        return folded.counts, [*partial_rows(partials), *(self._letter(partition, one) for one in rejects)]

    def _kept(self, partition: int, records: list[Record], decoded: list[DecodedPoints]) -> list[Reject]:
        """Keeps the points; returns the rejects of what is kept by now. WriteFailed when too much waits."""
        behind = list(self._behind.get())
        try:
            self._keeper.keep(partition, decoded)
            late = [decode_points([unpack(blob) for blob in behind])] if behind else []
            self._keeper.keep(partition, late)
        except WriteFailed as error:
            blobs = [pack(record) for record in records]
            if sum(map(len, [*behind, *blobs])) > self._bounds.buffer_bytes:
                raise
            logger.warning("partition %d: points wait: %s", partition, error)
            for blob in blobs:
                self._behind.add(blob)
            return []
        self._behind.clear()
        return [reject for one in [*late, *decoded] for reject in one.rejects]

    def _letter(self, partition: int, reject: Reject) -> tuple[OutputTag, Row]:
        longest = self._settings.kafka.max_record_bytes
        letter = dead_letters.letter(self._topic, self._topic_id, partition, reject, longest)
        return self._letters, Row(letter.id, dead_letters.encode(letter))

    def bytes_to_write(self, closed: Sequence[BinCount], current: BinCount) -> int:
        return sum(count.unwritten().nbytes for count in [*closed, current])

    def noted(self, current: BinCount) -> BinCount:
        return current._replace(written=current.block.last)

    def wake(self) -> list[Row]:
        keys = range(self._settings.jobs.series_shards * len(RESOLUTIONS))
        return partial_rows(dict.fromkeys(keys, bin_partials.NO_PARTIAL))

    def has_backlog(self) -> bool:
        return any(True for _ in self._behind.get()) or super().has_backlog()

    def write(self, partition: int, counts: Sequence[BinCount]) -> None:
        self._writer.insert(BINS_TABLE, bin_rows(counts, self._topic_id, partition))
        blocks = [count.block for count in counts]
        self._writer.insert(POINT_BLOCKS_TABLE, block_rows(blocks, self._topic_id, partition))


class PointKeeper:
    """Writes to the tables `points` and `point_series`."""

    def __init__(self, settings: Settings, topic_id: UUID) -> None:
        self._writer = Writer(settings)
        self._topic_id = topic_id
        self._known: dict[int, int] = {}  # the day each series was last written for: saves writing it again

    def keep(self, partition: int, decoded: Sequence[DecodedPoints]) -> None:
        """WriteFailed when ClickHouse does not take all of it; then it is to be called again with the same."""
        kept = [one for one in decoded if one.points.num_rows]
        for one in kept:
            # Names first: a point of a series without a name would be found by nobody.
            self._write_names(one.series, int(pc.max(one.points["ingested"]).as_py()) // DAY_MS)
        if kept:
            rows = [point_rows(one.points, self._topic_id, partition) for one in kept]
            self._writer.insert(POINTS_TABLE, pa.concat_tables(rows))

    def _write_names(self, series: dict[int, Series], day: int) -> None:
        new = [one for identity, one in series.items() if self._known.get(identity, -1) < day]
        self._writer.insert(POINT_SERIES_TABLE, series_rows(new, day))
        if len(self._known) > KNOWN_SERIES:
            self._known.clear()
        self._known.update((one.id, day) for one in new)


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
