"""Collections as streams in event time, and what came of them."""

from collections.abc import Sequence
from typing import Any

from pyflink.common import Instant, Row, TypeInformation, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from contracts.codec import Record
from jobs.flink import BLOB, record_type


def in_event_time(env: StreamExecutionEnvironment, rows: Sequence[Row], kinds: TypeInformation) -> DataStream:
    """The rows in their order, a watermark after each that is newer; field `timestamp` holds their times.

    Through a table, as PyFlink's own watermark strategies send watermarks by the clock only.
    """
    names = kinds.get_field_names()
    types = {"timestamp": DataTypes.TIMESTAMP_LTZ(3), "offset": DataTypes.BIGINT(), "shard": DataTypes.INT()}
    schema = Schema.new_builder()
    for name in names:
        schema = schema.column(name, types.get(name, DataTypes.BYTES()))
    schema = schema.watermark("timestamp", "`timestamp`")
    tables = StreamTableEnvironment.create(env)
    stream = env.from_collection(list(rows), kinds)
    return tables.to_append_stream(tables.from_data_stream(stream, schema.build()), kinds)


def record_stream(env: StreamExecutionEnvironment, records: Sequence[Record]) -> DataStream:
    """Records as `jobs.flink.Pipeline.records` yields them, not yet keyed."""
    rows = [
        Row(record.payload, record.offset, Instant.of_epoch_milli(record.timestamp), str(record.ingested).encode())
        for record in records
    ]
    return in_event_time(env, rows, record_type())


def partial_type() -> TypeInformation:
    return Types.ROW_NAMED(["shard", "partial", "timestamp"], [Types.INT(), BLOB(), Types.INSTANT()])


def texts() -> TypeInformation:
    """Of (key, value), as the operators yield them."""
    return Types.ROW([Types.STRING(), Types.STRING()])


def collect(stream: DataStream) -> list[tuple[Any, ...]]:
    """Runs the job and returns the stream's rows."""
    with stream.execute_and_collect() as results:
        return [tuple(row) for row in results]
