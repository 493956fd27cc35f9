"""Collections as streams in event time or as a job's source, and what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyflink.common import Instant, Row, TypeInformation, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from contracts.codec import Record
from contracts.names import EVENT_TIME_HEADER, ONCE_HEADER
from contracts.settings import Settings
from jobs.flink import BLOB, EVENT_TIME, Source, record_type

# The columns of the table that a job reads, as `Pipeline.records` names them.
SOURCE_COLUMNS = {
    "payload": DataTypes.BYTES(),
    "partition": DataTypes.INT(),
    "offset": DataTypes.BIGINT(),
    "ingested": DataTypes.TIMESTAMP_LTZ(3),
    "headers": DataTypes.MAP(DataTypes.STRING(), DataTypes.BYTES()),
}


@dataclass(frozen=True)
class Collection(Source):
    """A job's source that holds these records and ends; partition = offset mod the topic's partitions."""

    env: StreamExecutionEnvironment
    records: Sequence[Record]
    once: Mapping[int, str] = field(default_factory=dict)  # the keys of records that count once, by offset

    def __reduce__(self) -> tuple[type[Source], tuple[Any, ...]]:
        """Operators take their source along to the workers: as a topic, since an environment cannot go there."""
        return Source, (self.topic, self.topic_id, self.start)

    def create_table(self, tables: StreamTableEnvironment, settings: Settings, pipeline: str) -> None:
        rows = [
            Row(
                record.payload,
                record.offset % self.topic.partitions,
                record.offset,
                Instant.of_epoch_milli(record.ingested),
                self._headers(record),
            )
            for record in self.records
        ]
        kinds = [BLOB(), Types.INT(), Types.LONG(), Types.INSTANT(), Types.MAP(Types.STRING(), BLOB())]
        schema = Schema.new_builder()
        for name, kind in SOURCE_COLUMNS.items():
            schema = schema.column(name, kind)
        schema = schema.column_by_expression("event_time", EVENT_TIME).watermark("event_time", "event_time")
        stream = self.env.from_collection(rows, Types.ROW_NAMED(list(SOURCE_COLUMNS), kinds))
        tables.create_temporary_view("source", tables.from_data_stream(stream, schema.build()))

    def _headers(self, record: Record) -> dict[str, bytes]:
        headers = {EVENT_TIME_HEADER: str(record.event_time).encode()}
        return headers | ({ONCE_HEADER: self.once[record.offset].encode()} if record.offset in self.once else {})


def in_event_time(env: StreamExecutionEnvironment, rows: Sequence[Row], kinds: TypeInformation) -> DataStream:
    """The rows in their order, a watermark after each that is newer; field `event_time` holds their times.

    Through a table, as PyFlink's own watermark strategies send watermarks by the clock only.
    """
    names = kinds.get_field_names()
    times = dict.fromkeys(("event_time", "ingested"), DataTypes.TIMESTAMP_LTZ(3))
    types = {**times, "offset": DataTypes.BIGINT(), "shard": DataTypes.INT()}
    schema = Schema.new_builder()
    for name in names:
        schema = schema.column(name, types.get(name, DataTypes.BYTES()))
    schema = schema.watermark("event_time", "event_time")
    tables = StreamTableEnvironment.create(env)
    stream = env.from_collection(list(rows), kinds)
    return tables.to_append_stream(tables.from_data_stream(stream, schema.build()), kinds)


def record_stream(env: StreamExecutionEnvironment, records: Sequence[Record]) -> DataStream:
    """Records as `jobs.flink.Pipeline.records` yields them, not yet keyed."""
    rows = [
        Row(
            record.payload,
            record.offset,
            Instant.of_epoch_milli(record.event_time),
            Instant.of_epoch_milli(record.ingested),
            None,
        )
        for record in records
    ]
    return in_event_time(env, rows, record_type())


def partial_type() -> TypeInformation:
    return Types.ROW_NAMED(["shard", "partial", "event_time"], [Types.INT(), BLOB(), Types.INSTANT()])


def texts() -> TypeInformation:
    """Of (key, value), as the operators yield them."""
    return Types.ROW([Types.STRING(), Types.STRING()])


def collect(stream: DataStream) -> list[tuple[Any, ...]]:
    """Runs the job and returns the stream's rows."""
    with stream.execute_and_collect() as results:
        return [tuple(row) for row in results]
