"""How large a topic's log is, and trimming its oldest records."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource  # where it comes from: the package lists it not
from confluent_kafka.admin._resource import ResourceType

from contracts.settings import Settings
from infra.log_start import LogError, bounds

CALL_SECONDS: Final = 10.0


class PartitionLog(NamedTuple):
    """A partition's log: `size` bytes on disk, offsets from `begin` up to, not including, `end`.

    The broker removes whole files, of `segment` bytes: up to one of them may lie below `begin` and still count.
    """

    size: int
    segment: int
    begin: int
    end: int

    def keep_from(self, limit: int) -> int:
        """The offset from which about `limit` bytes remain; `begin` while trimming would free no file."""
        if self.size <= limit + self.segment:
            return self.begin
        kept = (self.end - self.begin) * limit // self.size  # as if all records were of one size
        return max(self.begin, self.end - kept)


def describe(settings: Settings, topic: str) -> dict[int, PartitionLog]:
    """By partition; LogError when the brokers do not tell."""
    from kafka.errors import KafkaError  # here: who bounds no log shall not wait for it, nor keep it in memory

    try:
        sizes, segment, found = _sizes(settings, topic), _segment_bytes(settings, topic), bounds(settings, topic)
    except (KafkaException, KafkaError) as error:
        raise LogError(f"Kafka at {settings.bootstrap_servers} does not tell how large {topic} is: {error}") from None
    return {
        partition: PartitionLog(sizes.get(partition, 0), segment, begin, end)
        for partition, (begin, end) in found.items()
    }


def trim(settings: Settings, topic: str, upto: Mapping[int, int]) -> None:
    """Deletes each partition's records below the offset, for good; LogError when the broker did not do it."""
    places = [TopicPartition(topic, partition, offset) for partition, offset in upto.items()]
    admin = AdminClient({**settings.kafka_client, "log_level": 0})
    try:
        for done in admin.delete_records(places, request_timeout=CALL_SECONDS).values():
            done.result()
    except KafkaException as error:
        raise LogError(f"Kafka at {settings.bootstrap_servers} did not trim {topic}: {error}") from None


def _sizes(settings: Settings, topic: str) -> dict[int, int]:
    """Of the largest replica of each partition. By kafka-python: librdkafka cannot ask for it."""
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(**_connection(settings))
    try:
        brokers: list[dict[str, Any]] = admin.describe_log_dirs([topic])
    finally:
        admin.close()
    sizes: dict[int, int] = {}
    for broker in brokers:
        for folder in broker["log_dirs"]:
            for held in folder["topics"]:
                for replica in held["partitions"]:
                    number = replica["partition_index"]
                    sizes[number] = max(sizes.get(number, 0), replica["partition_size"])
    return sizes


def _connection(settings: Settings) -> dict[str, Any]:
    kafka = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "security_protocol": kafka.security_protocol,
        "request_timeout_ms": int(CALL_SECONDS * 1000),
    }
    if kafka.sasl_mechanism:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_username
        options["sasl_plain_password"] = kafka.sasl_password.get_secret_value()
    return options


def _segment_bytes(settings: Settings, topic: str) -> int:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({**settings.kafka_client, "log_level": 0})
    (described,) = admin.describe_configs([resource], request_timeout=CALL_SECONDS).values()
    return int(described.result()["segment.bytes"].value)
