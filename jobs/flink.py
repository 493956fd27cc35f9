"""The adapter to Flink's odd corners; pipelines read like sentences because these are here.

Records come through the Table API, whose Kafka source knows partition, offset and headers (PyFlink's KafkaSource
yields values only), and leave through it, as it writes keys and transactions.
"""

from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Final
from uuid import UUID

from pyflink.common import TypeInformation, Types
from pyflink.datastream import (
    BroadcastConnectedStream,
    DataStream,
    KeyedBroadcastProcessFunction,
    KeyedProcessFunction,
    KeyedStream,
    StreamExecutionEnvironment,
)
from pyflink.datastream.data_stream import BroadcastStream
from pyflink.datastream.state import MapStateDescriptor
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from contracts.names import EVENT_TIME_HEADER, ONCE_HEADER
from contracts.settings import Settings, Topic

# A transaction of Kafka outlives an outage of days; the broker's transaction.max.timeout.ms must allow it.
TRANSACTION_TIMEOUT_MS: Final = 604_800_000
FETCH_BYTES: Final = 65_536
FETCH_WAIT_MS: Final = 100
# As `contracts.times.event_time` has it: the header if it is a number of a length that times have, and no later than
# Kafka's timestamp, else that.
_HEADER: Final = f"CAST(headers['{EVENT_TIME_HEADER}'] AS STRING)"
_TOLD: Final = f"TO_TIMESTAMP_LTZ(TRY_CAST({_HEADER} AS BIGINT), 3)"
EVENT_TIME: Final = (
    f"CASE WHEN REGEXP({_HEADER}, '\\A[0-9]{{1,13}}\\z') AND {_TOLD} < ingested THEN {_TOLD} ELSE ingested END"
)


@dataclass(frozen=True)
class Source:
    """A topic as a job reads it: `topic_id` tells a recreated topic apart; `start` is used without a checkpoint only.

    `start` holds an offset a partition, empty for the earliest.
    """

    topic: Topic
    topic_id: UUID
    start: dict[int, int]

    def create_table(self, tables: StreamTableEnvironment, settings: Settings, pipeline: str) -> None:
        """Makes the topic known as the table `source`; a test's source makes one of a collection."""
        tables.execute_sql(_source_table(settings, self, pipeline))


# What `Pipeline.records` yields.
RECORD_FIELDS: Final = ["payload", "offset", "event_time", "ingested", "once"]


def record_type() -> TypeInformation:
    """Rows of `RECORD_FIELDS`; made on demand, as Flink's types hold on to the JVM and cannot be pickled."""
    return Types.ROW_NAMED(RECORD_FIELDS, [BLOB(), Types.LONG(), Types.INSTANT(), Types.INSTANT(), BLOB()])


def BLOB() -> TypeInformation:  # noqa: N802  # named like Flink's own types
    """Plain bytes."""
    return Types.PRIMITIVE_ARRAY(Types.BYTE())


class Pipeline:
    """The Flink side of one pipeline: its tables, with operator ids of its own.

    Ids start with the pipeline's name, so that a pipeline added to the job strands no other's offsets.
    """

    def __init__(self, env: StreamExecutionEnvironment, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.max_parallelism = env.get_max_parallelism()
        self.tables = StreamTableEnvironment.create(env)
        self._outputs = self.tables.create_statement_set()
        config = self.tables.get_config()
        config.set("table.exec.uid.generation", "ALWAYS")
        config.set("table.exec.uid.format", f"{name}_<id>_<transformation>")
        config.set("table.local-time-zone", "UTC")
        config.set("table.exec.source.idle-timeout", f"{settings.jobs.idle_seconds} s")

    def records(self, source: Source) -> KeyedStream:
        """The topic's records as rows of `RECORD_FIELDS`, keyed by partition, each key's in the order of the log.

        The rows come from SQL in the shape (key, row) that Flink's own key_by makes in Python, so that a record
        crosses into Python once in place of twice. `partitions` tells a key's partition.
        """
        keys = partition_keys(source.topic.partitions, self.max_parallelism)
        cases = " ".join(f"WHEN {partition} THEN {key}" for partition, key in enumerate(keys))
        source.create_table(self.tables, self.settings, self.name)
        rows = self.tables.sql_query(
            f"SELECT CASE `partition` {cases} END AS k, "  # noqa: S608  # two lists of ints
            f"ROW(payload, `offset`, event_time, ingested, headers['{ONCE_HEADER}']) AS v "
            "FROM source"
        )
        # Not to_data_stream, whose type of rows PyFlink's keyed operators do not take.
        stream = self.tables.to_append_stream(rows, Types.ROW([Types.INT(), record_type()]))
        selector = get_gateway().jvm.KeyByKeySelector()
        keyed = stream._j_data_stream.keyBy(selector, Types.ROW([Types.INT()]).get_java_type_info())
        return KeyedStream(keyed, record_type(), stream)

    def broadcast(self, topic: Topic, state: MapStateDescriptor) -> BroadcastStream:
        """The (key, value) of all records of a compacted topic, to every subtask; the value of a deletion is None.

        What is made of them belongs into `state`, from which a restored job goes on.
        """
        self.tables.execute_sql(_keyed_table(self.settings, topic, self.name))
        rows = self.tables.sql_query("SELECT `key`, `value` FROM keyed")
        return self.tables.to_append_stream(rows, Types.ROW([Types.STRING(), BLOB()])).broadcast(state)

    def partitions(self, source: Source) -> dict[int, int]:
        """The partition of each key of `records`."""
        keys = partition_keys(source.topic.partitions, self.max_parallelism)
        return {key: partition for partition, key in enumerate(keys)}

    def process(
        self,
        stream: KeyedStream | BroadcastConnectedStream,
        function: KeyedProcessFunction | KeyedBroadcastProcessFunction,
        output: TypeInformation | None = None,
    ) -> DataStream:
        """The function over the stream, under a name and an id of its own; yields (key, value) texts by default."""
        title = f"{self.name}-{type(function).__name__}"
        result = stream.process(function, output or Types.ROW([Types.STRING(), Types.STRING()]))
        return result.name(title).uid(title)

    def to_kafka(self, stream: DataStream, topic: Topic, *, exactly_once: bool, table: str = "sink") -> None:
        """Writes (key, value) texts to the topic, in transactions for `exactly_once`, else at least once.

        Readers of what is exactly once read with isolation level `read_committed`. A second sink of a pipeline needs a
        `table` of its own name, which is part of its operators' ids.
        """
        self.tables.execute_sql(_sink_table(self.settings, topic, self.name, exactly_once, table))
        rows = self.tables.from_data_stream(stream).alias("key", "value")
        self._outputs.add_insert(table, rows)
        self._outputs.attach_as_datastream()

    def insert(self, query: str, topic: Topic) -> None:
        """Writes the rows (key, value) of a query over the pipeline's tables to the topic, at least once."""
        self.tables.execute_sql(_sink_table(self.settings, topic, self.name, exactly_once=False, table="sink"))
        self._outputs.add_insert_sql(f"INSERT INTO sink {query}")  # noqa: S608  # the caller's own statement
        self._outputs.attach_as_datastream()


@cache  # found by asking the JVM hundreds of times, for each pipeline of a job alike
def partition_keys(partitions: int, groups: int) -> tuple[int, ...]:
    """A key for each partition such that the keys lie evenly over Flink's `groups` key groups.

    Keys 0, 1, 2… would fall on few subtasks by chance, since Flink hashes them; here partition p falls into group
    p * groups / partitions, and so partitions spread over any parallelism that divides their number.
    """
    jvm = get_gateway().jvm
    assign = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup
    wanted = {partition * groups // partitions: partition for partition in range(partitions)}
    keys: dict[int, int] = {}
    for candidate in count():
        row = jvm.org.apache.flink.types.Row(1)
        row.setField(0, candidate)
        partition = wanted.pop(assign(row, groups), None)
        if partition is not None:
            keys[partition] = candidate
        if not wanted:
            return tuple(keys[partition] for partition in range(partitions))
    raise AssertionError("count() never ends")


def _source_table(settings: Settings, source: Source, pipeline: str) -> str:
    start = ";".join(f"partition:{partition},offset:{offset}" for partition, offset in source.start.items())
    options = {
        "connector": "kafka",
        "topic": source.topic.name,
        "properties.group.id": f"tidewatch-{pipeline}",
        "format": "raw",
        # A fetch costs the broker, the JVM and Python alike: with little traffic it waits for records to come together.
        "properties.fetch.min.bytes": str(FETCH_BYTES),
        "properties.fetch.max.wait.ms": str(FETCH_WAIT_MS),
        "scan.startup.mode": "specific-offsets" if start else "earliest-offset",
        **({"scan.startup.specific-offsets": start} if start else {}),
        **_connection(settings),
    }
    return f"""CREATE TABLE source (
        payload BYTES,
        `partition` INT METADATA VIRTUAL,
        `offset` BIGINT METADATA VIRTUAL,
        ingested TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
        headers MAP<STRING, BYTES> METADATA VIRTUAL,
        event_time AS {EVENT_TIME},
        WATERMARK FOR event_time AS event_time - INTERVAL '{settings.jobs.watermark_delay_seconds}' SECOND
    ) WITH ({_options(options)})"""


def _keyed_table(settings: Settings, topic: Topic, pipeline: str) -> str:
    options = {
        "connector": "kafka",
        "topic": topic.name,
        "properties.group.id": f"tidewatch-{pipeline}",
        "key.fields": "key",
        "key.format": "raw",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "scan.startup.mode": "earliest-offset",
        **_connection(settings),
    }
    return f"CREATE TABLE keyed (`key` STRING, `value` BYTES) WITH ({_options(options)})"


def _sink_table(settings: Settings, topic: Topic, pipeline: str, exactly_once: bool, table: str) -> str:
    options = {
        "connector": "kafka",
        "topic": topic.name,
        "key.fields": "key",
        "key.format": "raw",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        "properties.compression.type": "lz4",
        # A record that the producer refuses fails the job, again and again. Its own limit is 1 MB; a dead letter holds
        # the bytes of a whole record in base64.
        "properties.max.request.size": str(2 * settings.kafka.max_record_bytes),
        "sink.delivery-guarantee": "exactly-once" if exactly_once else "at-least-once",
        **_connection(settings),
    }
    if exactly_once:
        # Ids of one's own on a shared broker: another job that used them would abort this one's open transactions.
        options["sink.transactional-id-prefix"] = f"tidewatch-{pipeline}-{topic.name}"
        options["properties.transaction.timeout.ms"] = str(TRANSACTION_TIMEOUT_MS)
    return f"CREATE TABLE {table} (key STRING, `value` STRING) WITH ({_options(options)})"


def _connection(settings: Settings) -> dict[str, str]:
    kafka = settings.kafka
    options = {"properties.bootstrap.servers": settings.bootstrap_servers}
    if kafka.security_protocol != "PLAINTEXT":
        options["properties.security.protocol"] = kafka.security_protocol
    if kafka.sasl_mechanism:
        module = "scram.ScramLoginModule" if kafka.sasl_mechanism.startswith("SCRAM") else "plain.PlainLoginModule"
        options["properties.sasl.mechanism"] = kafka.sasl_mechanism
        options["properties.sasl.jaas.config"] = (
            # The SQL jar of the connector carries Kafka's client under a name of its own.
            f"org.apache.flink.kafka.shaded.org.apache.kafka.common.security.{module} required "
            f'username="{kafka.sasl_username}" password="{kafka.sasl_password.get_secret_value()}";'
        )
    return options


def _options(options: dict[str, str]) -> str:
    quoted = {key: value.replace("'", "''") for key, value in options.items()}
    return ", ".join(f"'{key}' = '{value}'" for key, value in quoted.items())
