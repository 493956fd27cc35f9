"""The log of a topic on a real broker: how large it is, trimming it, and what the consumer groups say was read."""

import os
import time
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.settings import Settings
from infra import log_size, log_start
from tests.conftest import RealPart

SEGMENT = 1_048_576  # the smallest that Kafka takes
RECORD = 100_000
PATIENCE = 180.0


@pytest.fixture
def topic(settings: Settings, broker: RealPart) -> str:
    """Two partitions; 100 records of 100 kB in the first."""
    name = f"log-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({**settings.kafka_client})
    config = {"segment.bytes": str(SEGMENT), "retention.ms": "-1"}
    for made in admin.create_topics([NewTopic(name, 2, 1, config=config)]).values():
        made.result(PATIENCE)
    producer = Producer(settings.kafka_client)
    for _ in range(100):
        producer.produce(name, os.urandom(RECORD), partition=0)
        producer.poll(0)
    assert producer.flush(PATIENCE) == 0
    return name


def commit(settings: Settings, topic: str, pipeline: str, offsets: dict[int, int]) -> None:
    """As Flink's source does."""
    consumer = Consumer({**settings.kafka_client, "group.id": f"tidewatch-{pipeline}", "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, *place) for place in offsets.items()], asynchronous=False)
    consumer.close()


def test_a_log_over_its_bound_is_trimmed_until_it_is_within(settings: Settings, topic: str) -> None:
    before = log_size.describe(settings, topic)
    assert before[1] == (0, SEGMENT, 0, 0)
    assert before[0].size == pytest.approx(100 * RECORD, rel=0.05)
    assert (before[0].begin, before[0].end) == (0, 100)
    limit = 3 * SEGMENT
    keep = before[0].keep_from(limit)
    assert keep == pytest.approx(100 - limit / RECORD, abs=2)
    log_size.trim(settings, topic, {0: keep})
    deadline = time.monotonic() + PATIENCE
    while (after := log_size.describe(settings, topic)[0]).size > limit + SEGMENT:
        assert time.monotonic() < deadline, after
        time.sleep(0.1)
    assert (after.begin, after.end) == (keep, 100)
    assert after.keep_from(limit) == keep  # it stays so


def test_what_was_read_is_the_least_of_all_pipelines(settings: Settings, topic: str) -> None:
    first, second = (f"p{uuid.uuid4().hex[:6]}" for _ in range(2))
    assert not log_start.was_read(settings, topic, [first])
    commit(settings, topic, first, {0: 70, 1: 0})
    assert log_start.committed(settings, topic, [first]) == {0: 70, 1: 0}
    assert log_start.committed(settings, topic, [first, second]) == {}
    commit(settings, topic, second, {0: 60})
    assert log_start.committed(settings, topic, [first, second]) == {0: 60}
    log_size.trim(settings, topic, {0: 65})
    assert [gap.group for gap in log_start.gaps(settings, topic, [first, second])] == [f"tidewatch-{second}"]


def test_groups_are_put_back_and_never_forward(settings: Settings, topic: str) -> None:
    pipeline = f"p{uuid.uuid4().hex[:6]}"
    commit(settings, topic, pipeline, {0: 70, 1: 0})
    log_start.rewind(settings, topic, [pipeline], {0: 80})
    assert log_start.committed(settings, topic, [pipeline]) == {0: 70, 1: 0}
    log_start.rewind(settings, topic, [pipeline, "never-seen"], {0: 50, 1: 9})
    assert log_start.committed(settings, topic, [pipeline]) == {0: 50, 1: 0}


def test_a_broker_that_is_away_is_named(settings: Settings) -> None:
    away = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})})
    with pytest.raises(log_start.LogError, match=r"127\.0\.0\.1:1"):
        log_start.bounds(away, "user-tags")
