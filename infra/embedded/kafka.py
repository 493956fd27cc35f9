"""One KRaft broker, from the jars of the set-up."""

from importlib.metadata import version as installed
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra import state_file
from infra.embedded.java import classpath, jars, java
from infra.embedded.part import PROBE_SECONDS, Part, PartError

CLUSTER_ID = "tidewatchEmbeddedCluster0"[:22]  # any 22 characters of base64 URL make a Kafka UUID
SEGMENT_BYTES = 134_217_728
LONGEST_TRANSACTION_MS = 7 * 24 * 3_600_000  # a checkpoint's transaction outlives an outage of days

# The optimising compiler, which is not niced as Flink's is, would take the API's time in the first minutes.
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")

# Formatting is done once, by the same process that then becomes the broker: a start has one pid.
START = """
if [ ! -f "$4/meta.properties" ]; then
    "$1" -XX:TieredStopAtLevel=1 -cp "$2" "-Dlog4j2.configurationFile=$5" \
        kafka.tools.StorageTool format -t "$6" -c "$3" --ignore-formatted || exit 1
    cp "$4/meta.properties" "$4/.."
fi
java=$1 classpath=$2 config=$3 logging=$5; shift 6
exec "$java" "$@" "-Dlog4j2.configurationFile=$logging" -cp "$classpath" kafka.Kafka "$config"
"""

LOGGING = """
shutdownHook = disable
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %-5p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.broker.name = kafka.server.BrokerServer
logger.broker.level = info
"""


class Kafka(Part):
    """The broker, which is its own controller. After SIGKILL it recovers its log by itself."""

    name = "kafka"
    _admin: AdminClient | None = None

    @property
    def _folder(self) -> Path:
        return self.settings.state_path / "kafka"

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={value}" for key, value in self._properties().items()]
        (self._folder / "server.properties").write_text("\n".join(lines) + "\n")
        (self._folder / "log4j2.properties").write_text(LOGGING)
        self._mend_identity()

    def _mend_identity(self) -> None:
        """The file that says whose log this is: the broker does not start without it, and a new one would disown it.

        A copy lies beside the data. PartError when both are broken.
        """
        path, copy = self._folder / "data" / "meta.properties", self._folder / "meta.properties"
        if not (path.parent / "__cluster_metadata-0").exists():
            return  # no log yet: it gets an identity
        if not _is_identity(path):
            if not _is_identity(copy):
                raise PartError(f"{path} is broken, and so is its copy {copy}: put one back from a backup")
            state_file.replace(path, copy.read_text())
        elif not _is_identity(copy):
            state_file.replace(copy, path.read_text())

    def _properties(self) -> dict[str, object]:
        host, kafka = self.settings.host, self.settings.kafka
        broker = f"PLAINTEXT://{host}:{kafka.port}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{host}:{kafka.controller_port}",
            "listeners": f"{broker},CONTROLLER://{host}:{kafka.controller_port}",
            "advertised.listeners": broker,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._folder / "data",
            "auto.create.topics.enable": "false",
            "compression.type": "producer",
            "log.segment.bytes": SEGMENT_BYTES,
            "log.retention.ms": -1,  # a log ends by what was read of it
            "log.retention.check.interval.ms": 10_000,  # a trimmed log gives its disk back soon
            "message.max.bytes": kafka.max_record_bytes,
            "replica.fetch.max.bytes": kafka.max_record_bytes,
            "transaction.max.timeout.ms": LONGEST_TRANSACTION_MS,
            "group.initial.rebalance.delay.ms": 0,
            "broker.session.timeout.ms": 3000,  # what a restart after SIGKILL waits for
            "broker.heartbeat.interval.ms": 500,
            # One broker on a small machine: no replicas, few threads, few internal partitions, small buffers.
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "offsets.retention.minutes": 2_147_483_647,  # they say what was read, also after weeks without a job
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "num.recovery.threads.per.data.dir": 2,
            "log.cleaner.dedupe.buffer.size": 8_388_608,
        }

    def command(self) -> list[str]:
        heap = f"{self.settings.kafka.heap_mb}m"
        folder = self._folder
        config, data, logging = folder / "server.properties", folder / "data", folder / "log4j2.properties"
        places = [java(), classpath(self.settings, "kafka"), str(config), str(data), str(logging), CLUSTER_ID]
        return ["sh", "-c", START, "kafka", *places, f"-Xmx{heap}", "-Xms64m", *JVM]

    def ready(self) -> str | None:
        try:
            self._client().list_topics(timeout=PROBE_SECONDS)
        except KafkaException as error:
            return f"broker {self.settings.bootstrap_servers}: {error.args[0].str()}"
        return None

    def _client(self) -> AdminClient:
        """Kept, because it connects again by itself; silent, because `ready` says what is wrong."""
        if self._admin is None:
            quiet = {"log_level": 0, "reconnect.backoff.max.ms": 500}
            self._admin = AdminClient({**self.settings.kafka_client, **quiet})
        return self._admin

    def ports(self) -> dict[str, int]:
        kafka = self.settings.kafka
        return {"kafka.port": kafka.port, "kafka.controller_port": kafka.controller_port}

    def version(self) -> str:
        names = [jar.stem for jar in jars(self.settings, "kafka") if jar.stem.startswith("kafka_")]
        return names[0].rpartition("-")[2] if names else f"client {installed('confluent-kafka')}"


def _is_identity(path: Path) -> bool:
    """Whether the file names our cluster, this node and the folder's own id."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return (values.get("cluster.id"), values.get("node.id")) == (CLUSTER_ID, "1") and bool(values.get("directory.id"))
