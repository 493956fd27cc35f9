"""What of the log was read, and is the rest still there? Asked before a restore, which would skip what was trimmed."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from contracts.settings import Settings

CALL_SECONDS: Final = 10.0
ASK_SECONDS: Final = 0.2
# What a broker says that has just started, and will lead the group in a moment.
SOON: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)


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


def committed(settings: Settings, topic: str, pipelines: Iterable[str]) -> dict[int, int]:
    """By partition, up to where all of the pipelines have committed; without those that one has never committed."""
    by_partition: dict[int, list[int]] = {}
    wanted = list(pipelines)
    for _, partition, offset, _ in _positions(settings, topic, wanted):
        by_partition.setdefault(partition, []).append(offset)
    return {partition: min(offsets) for partition, offsets in by_partition.items() if len(offsets) == len(wanted)}


def rewind(settings: Settings, topic: str, pipelines: Iterable[str], offsets: Mapping[int, int]) -> None:
    """Puts the pipelines' groups back to these offsets where they are ahead of them; LogError when that fails.

    For a job about to start from there. Flink does not read them, and commits its own with the next checkpoint; until
    then they would speak of a state that is not the job's.
    """
    with _told(settings, topic):
        for pipeline in pipelines:
            group = f"tidewatch-{pipeline}"
            ahead = [
                TopicPartition(topic, partition, offsets[partition])
                for _, partition, offset, _ in _of_group(settings, topic, group)
                if offset > offsets.get(partition, offset)
            ]
            if ahead:
                with _consumer(settings, group) as consumer:
                    consumer.commit(offsets=ahead, asynchronous=False)


def bounds(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """By partition, where the log begins, and where it ends; LogError when the broker does not tell."""
    with _told(settings, topic), _consumer(settings, "tidewatch-bounds") as consumer:
        return {place.partition: _bounds(consumer, place) for place in _places(consumer, topic)}


def _positions(settings: Settings, topic: str, pipelines: Iterable[str]) -> list[tuple[str, int, int, int]]:
    """(group, partition, committed offset, begin of the log) for each that was committed."""
    with _told(settings, topic):
        return [position for pipeline in pipelines for position in _of_group(settings, topic, f"tidewatch-{pipeline}")]


def _of_group(settings: Settings, topic: str, group: str) -> list[tuple[str, int, int, int]]:
    with _consumer(settings, group) as consumer:
        found = _committed(consumer, _places(consumer, topic))
        return [
            (group, place.partition, place.offset, _bounds(consumer, place)[0]) for place in found if place.offset >= 0
        ]


def _committed(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """What the group has committed; a broker that is only about to lead it is asked again."""
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        try:
            found: list[TopicPartition] = consumer.committed(places, timeout=CALL_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in SOON or time.monotonic() > deadline:
                raise
            time.sleep(ASK_SECONDS)
        else:
            return found


def _places(consumer: Consumer, topic: str) -> list[TopicPartition]:
    return [
        TopicPartition(topic, partition)
        for partition in consumer.list_topics(topic, timeout=CALL_SECONDS).topics[topic].partitions
    ]


def _bounds(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    begin, end = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)
    return int(begin), int(end)


@contextmanager
def _consumer(settings: Settings, group: str) -> Iterator[Consumer]:
    consumer = Consumer({**settings.kafka_client, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    try:
        yield consumer
    finally:
        consumer.close()


@contextmanager
def _told(settings: Settings, topic: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        where = settings.bootstrap_servers
        raise LogError(f"the broker at {where} does not tell what was read of {topic}: {error}") from None
