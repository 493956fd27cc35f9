"""Fills a topic before anything reads it, so that what is measured is reading."""

import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.names import INGESTED_HEADER
from contracts.settings import Settings, Topic

CALL_SECONDS: Final = 30.0


class Payload(NamedTuple):
    """A record's value and timestamp (epoch milliseconds)."""

    value: bytes
    timestamp: int


def fill(settings: Settings, topic: Topic, payloads: Iterable[Payload]) -> None:
    """Writes the records to the topic's partitions in turn, in their order."""
    producer = Producer(
        {**settings.kafka_client, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 100_000}
    )
    headers: dict[str, str | bytes | None] = {INGESTED_HEADER: str(int(time.time() * 1000))}
    for number, payload in enumerate(payloads):
        partition = number % topic.partitions
        while True:
            try:
                producer.produce(
                    topic.name, payload.value, partition=partition, timestamp=payload.timestamp, headers=headers
                )
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(CALL_SECONDS):
        raise OSError(f"the broker did not take all records of {topic.name}")


def create(settings: Settings, name: str, partitions: int) -> Topic:
    """A topic besides the platform's own."""
    admin = AdminClient({**settings.kafka_client})
    config = {"retention.ms": "-1"}  # timestamps are those of the events, long past
    for created in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        created.result(CALL_SECONDS)
    return Topic(name=name, partitions=partitions)
