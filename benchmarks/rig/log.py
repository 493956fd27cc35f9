"""Fills a topic before anything reads it, so that what is measured is reading."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings, Topic

CALL_SECONDS: Final = 30.0


class Payload(NamedTuple):
    """A record's value and the time of its newest event (epoch milliseconds)."""

    value: bytes
    event_time: int


def fill(settings: Settings, topic: Topic, payloads: Iterable[Payload]) -> None:
    """Writes the records to the topic's partitions in turn, in their order."""
    producer = Producer(
        {**settings.kafka_client, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 100_000}
    )
    for number, payload in enumerate(payloads):
        partition = number % topic.partitions
        headers: dict[str, str | bytes | None] = {EVENT_TIME_HEADER: str(payload.event_time)}
        while True:
            try:
                producer.produce(topic.name, payload.value, partition=partition, headers=headers)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(CALL_SECONDS):
        raise OSError(f"the broker did not take all records of {topic.name}")


def create(settings: Settings, name: str, partitions: int) -> Topic:
    """A topic besides the platform's own."""
    admin = AdminClient({**settings.kafka_client})
    for created in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        created.result(CALL_SECONDS)
    return Topic(name=name, partitions=partitions)
