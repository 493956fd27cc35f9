"""Pipeline `aggregates`: what happened in each minute, into ClickHouse and, once a minute is over, to `series`.

Counts go by blocks of the log, see `counter`. Series go by Flink's event time: each partition's partials meet at a
shard, which closes a minute when the watermark of all partitions has passed it.
"""

from collections.abc import Sequence
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, Types
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.state import ListStateDescriptor

from analysis import arrow, series
from analysis.counting import Count, fold
from contracts import coded
from contracts.codec import Record
from contracts.names import AGGREGATES_TABLE, BLOCKS_TABLE
from contracts.settings import Settings
from jobs.closer import MinuteCloser
from jobs.counter import BlockCounter, partial_rows
from jobs.flink import BLOB, Pipeline, Source
from jobs.run import run

NAME = "aggregates"


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


class Counter(BlockCounter[Count]):
    """Counts tags; what it counted of the open block stays in runs, which are summed up when they are written."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._runs = runtime_context.get_list_state(ListStateDescriptor("runs", BLOB()))  # of the open block
        super().open(runtime_context)

    def load(self, data: bytes) -> Count:
        return Count.load(data)

    def current(self) -> Count | None:
        head = self._open.value()
        return Count.load(head, self._runs.get()) if head else None

    def keep(self, current: Count, before: Count | None) -> None:
        goes_on = before is not None and before.block.start == current.block.start
        known = len(list(self._runs.get())) if goes_on else 0
        if not goes_on:
            self._runs.clear()
        for added in current.runs[known:]:
            self._runs.add(arrow.dump(added))
        self._open.update(current.head())

    def fold(self, partition: int, count: Count | None, records: list[Record]) -> tuple[list[Count], list[Row]]:
        counts, partial = fold(count, records)
        return counts, partial_rows(series.shards(partial, self._settings.jobs.series_shards))

    def bytes_to_write(self, closed: Sequence[Count], current: Count) -> int:
        return bytes_to_write(closed, current)

    def summed(self, current: Count) -> Count:
        return current.summed()

    def noted(self, current: Count) -> Count:
        return current._replace(written=current.block.last)

    def wake(self) -> list[Row]:
        return partial_rows(dict.fromkeys(range(self._settings.jobs.series_shards), series.NO_PARTIAL))

    def write(self, partition: int, counts: Sequence[Count]) -> None:
        rows = [aggregate_rows(count, self._topic_id, partition) for count in counts]
        self._writer.insert(AGGREGATES_TABLE, coded.table(rows, rows[0].schema))
        self._writer.insert(BLOCKS_TABLE, block_rows(counts, self._topic_id, partition))


def bytes_to_write(closed: Sequence[Count], current: Count) -> int:
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


def block_rows(counts: Sequence[Count], topic_id: UUID, partition: int) -> pa.Table:
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
