"""Reads a run of a partition's log, outside of Flink."""

from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from contracts.settings import Settings
from infra.log_start import LogError

RECORDS_AT_ONCE: Final = 500
PATIENCE_SECONDS: Final = 30.0  # without a record


def read(settings: Settings, topic: str, partition: int, begin: int, end: int) -> Iterator[list[Message]]:
    """The records from offset `begin` up to, not including, `end`, in order, some at a time; LogError when the broker
    hands out none for half a minute."""
    options = {"group.id": "tidewatch-read", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({**settings.kafka_client, **options, "fetch.queue.backoff.ms": 5})
    try:
        consumer.assign([TopicPartition(topic, partition, begin)])
        position = begin
        while position < end:
            messages = consumer.consume(min(RECORDS_AT_ONCE, end - position), PATIENCE_SECONDS)
            good = [message for message in messages if message.error() is None]
            if not good:
                raise LogError(f"no record of {topic}/{partition} from offset {position} on: {_why(messages)}")
            position = _offset(good[-1]) + 1
            yield [message for message in good if _offset(message) < end]
    except KafkaException as error:
        raise LogError(f"{topic}/{partition} cannot be read from offset {begin} on: {error}") from None
    finally:
        consumer.close()


def _offset(message: Message) -> int:
    offset = message.offset()
    if offset is None:  # of a message without error there is one
        raise LogError("a record without offset")
    return offset


def _why(messages: list[Message]) -> str:
    return str(messages[0].error()) if messages else "the broker does not answer"
