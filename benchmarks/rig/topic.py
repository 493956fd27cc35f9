"""What stands in a topic."""

import time
import uuid
from typing import Final, Literal

from confluent_kafka import Consumer, TopicPartition

from benchmarks.failed import BenchmarkFailed
from contracts.codec import count_lines
from contracts.settings import Settings, Topic

Stream = Literal["user_tags", "points"]  # as settings.topics has them
SILENCE_SECONDS: Final = 30.0  # a broker that gives nothing for so long has no more to give


def count_events(settings: Settings, stream: Stream = "user_tags") -> int:
    """How many events the stream's topic holds, whatever the shape of its records."""
    topic: Topic = getattr(settings.topics, stream)
    consumer = Consumer({**settings.kafka_client, "group.id": uuid.uuid4().hex, "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic.name, number, 0) for number in range(topic.partitions)]
        return sum(_count(consumer, place) for place in places)
    finally:
        consumer.close()


def _count(consumer: Consumer, place: TopicPartition) -> int:
    _, end = consumer.get_watermark_offsets(place, timeout=SILENCE_SECONDS)
    consumer.assign([place])
    events, position, deadline = 0, 0, time.monotonic() + SILENCE_SECONDS
    while position < end:
        for message in consumer.consume(1000, timeout=0.5):
            if message.error() is not None:
                raise BenchmarkFailed(f"the topic cannot be read: {message.error()}")
            events += count_lines(message.value() or b"")
            position, deadline = (message.offset() or 0) + 1, time.monotonic() + SILENCE_SECONDS
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"the topic cannot be read beyond {position} of {end}")
    return events
