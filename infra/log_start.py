"""What of the log was read, and is the rest still there? Asked before a restore, which would skip what was trimmed."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.settings import Settings

CALL_SECONDS: Final = 10.0


class LogError(Exception):
    """The broker did not tell; the message says what was asked."""


class Gap(NamedTuple):
    """Offsets `committed` up to, not including, `begin` are gone from the log and were not read by `group`."""

    group: str
    topic: str
    partition: int
    committed: int
    begin: int


def gaps(settings: Settings, topic: str, pipelines: Iterable[str]) -> list[Gap]:
    """Partitions whose log begins above what the pipelines' groups (`tidewatch-<pipeline>`) committed.

    Flink commits with each completed checkpoint, so this speaks of the newest one: one that is older may lack more.
    A group that never committed, such as a new pipeline's, has no gap.
    """
    return [
        Gap(group, topic, partition, offset, begin)
        for group, partition, offset, begin in _positions(settings, topic, pipelines)
        if begin > offset
    ]


def was_read(settings: Settings, topic: str, pipelines: Iterable[str]) -> bool:
    """Did any of the pipelines ever commit an offset of this topic, that is, complete a checkpoint?

    Kafka forgets a topic's offsets with the topic.
    """
    return bool(_positions(settings, topic, pipelines))


def _positions(settings: Settings, topic: str, pipelines: Iterable[str]) -> list[tuple[str, int, int, int]]:
    """(group, partition, committed offset, begin of the log) for each that was committed."""
    try:
        return [position for pipeline in pipelines for position in _of_group(settings, topic, f"tidewatch-{pipeline}")]
    except KafkaException as error:
        where = settings.bootstrap_servers
        raise LogError(f"the broker at {where} does not tell what was read of {topic}: {error}") from None


def _of_group(settings: Settings, topic: str, group: str) -> list[tuple[str, int, int, int]]:
    consumer = Consumer({**settings.kafka_client, "group.id": group, "enable.auto.commit": False})
    try:
        found = consumer.list_topics(topic, timeout=CALL_SECONDS).topics[topic].partitions
        asked = [TopicPartition(topic, partition) for partition in found]
        committed = [one for one in consumer.committed(asked, timeout=CALL_SECONDS) if one.offset >= 0]
        begins = [consumer.get_watermark_offsets(one, timeout=CALL_SECONDS)[0] for one in committed]
        return [(group, one.partition, one.offset, begin) for one, begin in zip(committed, begins, strict=True)]
    finally:
        consumer.close()
