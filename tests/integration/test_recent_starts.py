"""Where a job begins that needs to know only a while, on a real broker."""

import uuid

import pytest
from confluent_kafka import Producer

from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings, Topic
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs.starts import recent_starts
from tests.conftest import START_SECONDS, RealPart

PATIENCE = 180.0
START_MS = 1_646_092_800_000  # 2022-03-01T00:00:00Z


@pytest.fixture
def topic(settings: Settings, broker: RealPart) -> Topic:
    """Three partitions without records."""
    topic = Topic(name=f"recent-{uuid.uuid4().hex[:8]}", partitions=3)
    topics = settings.topics.model_copy(update={"points": topic})
    kafka_topics.ensure(settings.model_copy(update={"topics": topics}), START_SECONDS)
    return topic


def test_a_topic_without_records_has_no_recent_ones(settings: Settings, topic: Topic) -> None:
    assert recent_starts(settings, topic, 5 * MINUTE_MS) == {}


def test_it_begins_so_long_before_the_newest_record_of_all(settings: Settings, topic: Topic) -> None:
    producer = Producer(settings.kafka_client)
    for minute in range(10):
        producer.produce(topic.name, b"x", partition=0, timestamp=START_MS + minute * MINUTE_MS)
    producer.produce(topic.name, b"x", partition=1, timestamp=START_MS)  # nothing in it is recent
    assert producer.flush(PATIENCE) == 0
    assert recent_starts(settings, topic, 5 * MINUTE_MS) == {0: 4, 1: 1, 2: 0}
    assert recent_starts(settings, topic, 60 * MINUTE_MS) == {0: 0, 1: 0, 2: 0}


def test_it_goes_by_event_time_and_ticks_tell_nothing(settings: Settings, topic: Topic) -> None:
    """All came in just now: nine minutes of an old day, and since then only records that hold no event."""
    producer = Producer(settings.kafka_client)

    def send(value: bytes, time: int, partition: int = 0) -> None:
        producer.produce(topic.name, value, partition=partition, headers={EVENT_TIME_HEADER: str(time)})

    for minute in range(10):
        send(b"x", START_MS + minute * MINUTE_MS)
        send(b"", 1)
    for _ in range(300):
        send(b"", 1)
        send(b"", 1, partition=1)
    assert producer.flush(PATIENCE) == 0
    assert recent_starts(settings, topic, 5 * MINUTE_MS) == {0: 7, 1: 0, 2: 0}
