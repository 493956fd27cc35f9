"""Consumers of a topic beside Flink's: under no commitments, for a look at what is there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from contracts.settings import Settings, Topic

HELD_SECONDS: Final = 5.0  # at most, until the next record comes of those that a topic holds
Options = Mapping[str, str | int]
NO_OPTIONS: Final[Options] = {}
# Of who reads all that there is: the broker waits no longer for more, and what goes wrong is raised, not printed.
TO_THE_END: Final[Options] = {"fetch.wait.max.ms": 10, "isolation.level": "read_committed", "log_level": 0}


@contextmanager
def opened(
    settings: Settings, topic: Topic, group: str, options: Options = NO_OPTIONS
) -> Iterator[tuple[Consumer, list[TopicPartition]]]:
    """A consumer, closed at the end, and the partitions of the topic. `options`: more of librdkafka's."""
    quiet = {"enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**settings.kafka_client, "group.id": group, **quiet, **options})
    try:
        yield consumer, [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
    finally:
        consumer.close()


def newest(settings: Settings, topic: Topic, group: str) -> dict[str, bytes]:
    """The newest value of each key that a compacted topic holds; KafkaException when the broker does not tell."""
    found: dict[str, bytes] = {}
    with opened(settings, topic, group, TO_THE_END) as (consumer, places):
        for place in places:
            place.offset = OFFSET_BEGINNING
        consumer.list_topics(topic.name, timeout=HELD_SECONDS)  # connects at once, where `assign` takes half a second
        consumer.assign(places)
        left = len(places)
        while left:
            message = consumer.poll(HELD_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the broker says no more"))
            if (error := message.error()) is None:
                key, value = (message.key() or b"").decode(errors="replace"), message.value()
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= 1
            else:
                raise KafkaException(error)
    return found
