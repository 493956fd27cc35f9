"""Reads all that a small topic holds, or follows it, and writes to it. Readers see committed transactions only."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Final
from uuid import uuid4

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from contracts.settings import Settings, Topic

CALL_SECONDS: Final = 10.0
POLL_SECONDS: Final = 1.0  # so that Ctrl-C is heard


def held(settings: Settings, topic: Topic) -> Iterator[Message]:
    """The records that the topic holds now, each partition's in order; KafkaException when the broker does not tell."""
    with closing(_consumer(settings, topic, OFFSET_BEGINNING)) as consumer:
        left = topic.partitions
        while left:
            message = consumer.poll(CALL_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "it says no more"))
            if (error := message.error()) is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= 1
            else:
                raise KafkaException(error)


def follow(settings: Settings, topic: Topic, *, beginning: bool) -> Iterator[Message]:
    """The records from the beginning or from now on as they come, for ever; KafkaException when it cannot go on."""
    with closing(_consumer(settings, topic, OFFSET_BEGINNING if beginning else OFFSET_END)) as consumer:
        while True:
            message = consumer.poll(POLL_SECONDS)
            error = None if message is None else message.error()
            if message is not None and error is None:
                yield message
            elif error is not None and error.fatal():
                raise KafkaException(error)


def written(settings: Settings, topic: Topic) -> int:
    """How many records the topic ever held, marks of transactions included; KafkaException when it is away."""
    with closing(_consumer(settings, topic, OFFSET_END)) as consumer:
        places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        return sum(consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)[1] for place in places)


def write(settings: Settings, topic: Topic, records: Mapping[str, bytes | None]) -> None:
    """Value by key, None deletes; returns when all are acknowledged, KafkaException when one is not."""
    producer = Producer({**settings.kafka_client, "acks": "all", "enable.idempotence": True, "log_level": 0})
    failed: list[KafkaError] = []
    for key, value in records.items():
        producer.produce(topic.name, value, key, on_delivery=lambda error, _: failed.append(error) if error else None)
    left = producer.flush(CALL_SECONDS)
    if failed or left:
        raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT, f"{left} records wait"))


def _consumer(settings: Settings, topic: Topic, offset: int) -> Consumer:
    # A group is demanded, and nothing is committed under it.
    options = {"group.id": f"tidewatch-read-{uuid4()}", "enable.auto.commit": False, "log_level": 0}
    options |= {"isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({**settings.kafka_client, **options})
    try:
        consumer.list_topics(topic.name, timeout=CALL_SECONDS)  # a broker that is away is an error, not an empty topic
        consumer.assign([TopicPartition(topic.name, number, offset) for number in range(topic.partitions)])
    except KafkaException:
        consumer.close()
        raise
    return consumer
