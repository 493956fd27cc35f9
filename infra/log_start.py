"""Is what a job still has to read still in the log? Asked before a restore, which would skip what was trimmed."""

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
    try:
        return [gap for pipeline in pipelines for gap in _of_group(settings, topic, f"tidewatch-{pipeline}")]
    except KafkaException as error:
        where = settings.bootstrap_servers
        raise LogError(f"the broker at {where} does not tell where the log of {topic} begins: {error}") from None


def _of_group(settings: Settings, topic: str, group: str) -> list[Gap]:
    consumer = Consumer({**settings.kafka_client, "group.id": group, "enable.auto.commit": False})
    try:
        found = consumer.list_topics(topic, timeout=CALL_SECONDS).topics[topic].partitions
        asked = [TopicPartition(topic, partition) for partition in found]
        return [
            Gap(group, topic, known.partition, known.offset, begin)
            for known in consumer.committed(asked, timeout=CALL_SECONDS)
            if known.offset >= 0
            and (begin := consumer.get_watermark_offsets(known, timeout=CALL_SECONDS)[0]) > known.offset
        ]
    finally:
        consumer.close()
