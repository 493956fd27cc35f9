"""Pipeline `archive`: every event to ClickHouse as the truth; whatever cannot be read to `dead-letters`, once.

A row is known by its event's place in the log, so a write that is repeated changes nothing. Dead letters leave in
Kafka transactions, after the good lines of the same records were written.
"""

from collections.abc import Iterator
from uuid import UUID

import pyarrow as pa
from pyflink.common import Row
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment

from contracts import dead_letters
from contracts.codec import Record, decode
from contracts.events import EVENT_SCHEMA
from contracts.names import USER_TAGS_TABLE
from contracts.settings import Settings
from jobs.buffer import Bounds, PartitionBuffer
from jobs.flink import Pipeline, Source
from jobs.run import run
from jobs.writer import Writer

NAME = "archive"


def build(env: StreamExecutionEnvironment, settings: Settings, source: Source) -> None:
    """Adds the pipeline to `env`."""
    pipeline = Pipeline(env, settings, NAME)
    records = pipeline.records(source)
    rejects = pipeline.process(records, Archive(settings, source, pipeline.partitions(source)))
    pipeline.to_kafka(rejects, settings.topics.dead_letters, exactly_once=True)


def main() -> None:
    """The pipeline as a job of its own."""
    run(NAME, build)


class Archive(PartitionBuffer):
    """Writes events to the table `user_tags`; yields (key, value) of a dead letter for each reject."""

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.archive_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._source = source

    def open(self, runtime_context: RuntimeContext) -> None:
        self._writer = Writer(self._settings)
        super().open(runtime_context)

    def flush(self, partition: int, records: list[Record]) -> Iterator[Row]:
        events, rejects = decode(records)
        self._writer.insert(USER_TAGS_TABLE, archive_rows(events, self._source.topic_id, partition))
        for reject in rejects:
            source, longest = self._source, self._settings.kafka.max_record_bytes
            letter = dead_letters.letter(source.topic.name, source.topic_id, partition, reject, longest)
            yield Row(letter.id, dead_letters.encode(letter))


def archive_rows(events: pa.RecordBatch, topic_id: UUID, partition: int) -> pa.Table:
    """Events of `PLACED_SCHEMA` as rows of the table `user_tags`."""
    millis = pa.timestamp("ms", tz="UTC")
    rows = pa.Table.from_batches([events])
    columns = {field.name: rows[field.name] for field in EVENT_SCHEMA}
    columns["time"] = rows["time"].cast(millis)
    columns["time_text"] = rows["time_text"].fill_null("")
    columns["topic_id"] = pa.repeat(str(topic_id), rows.num_rows)
    columns["partition"] = pa.repeat(pa.scalar(partition, pa.uint16()), rows.num_rows)
    columns |= {"offset": rows["offset"], "line": rows["line"], "ingested": rows["ingested"].cast(millis)}
    return pa.table(columns)


if __name__ == "__main__":
    main()
