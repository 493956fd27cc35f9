"""Tags sent to a topic of a test's own, and what stands in a topic's log."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from api.collect.lane import partition_of
from contracts.codec import Record, decode
from contracts.events import tags_of
from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings, Topic, Topics
from contracts.tags import UserTag
from infra import log_size, log_start
from infra import topics as kafka_topics
from tests.conftest import START_SECONDS
from tests.integration.api_server import Answer, ApiServer

NAME_VARIABLE = "TIDEWATCH_TOPICS__USER_TAGS__NAME"
MARCH = 1_646_092_800_000  # 2022-03-01T00:00:00Z


def with_topic(settings: Settings) -> Settings:
    """The settings with a topic of its own for tags, which is there."""
    own = settings.topics.user_tags.model_copy(update={"name": f"tags-{uuid.uuid4().hex[:8]}"})
    changed = settings.model_copy(update={"topics": settings.topics.model_copy(update={"user_tags": own})})
    kafka_topics.ensure(changed, START_SECONDS)
    return changed


class Read(NamedTuple):
    """A record as it stands in the log, its newest event's time and Kafka's own, both in epoch milliseconds."""

    partition: int
    offset: int
    event_time: int
    ingested: int
    value: bytes


def tag_line(number: int, **fields: Any) -> bytes:
    tag = {
        "time": f"2022-03-01T00:00:{number // 1000 % 60:02d}.{number % 1000:03d}Z",
        "cookie": f"cookie{number}",
        "country": "PL",
        "device": "TV",
        "action": "BUY",
        "origin": "CAMPAIGN_1",
        "product_info": {"product_id": number, "brand_id": "Ebros", "category_id": "Hats", "price": 1},
    }
    return json.dumps({**tag, **fields}).encode()


def post_tags(server: ApiServer, numbers: range, threads: int = 32) -> list[Answer]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda number: server.call("POST", "/user_tags", tag_line(number)), numbers))


def empty(settings: Settings, topic: Topic) -> None:
    """Trims the whole log of the topic."""
    ends = {partition: end for partition, (_, end) in log_start.bounds(settings, topic.name).items()}
    log_size.trim(settings, topic.name, ends)


def read_log(settings: Settings, topic: Topic | None = None) -> list[Read]:
    """All records of the topic, by default that for tags, partition by partition."""
    topic = topic or settings.topics.user_tags
    consumer = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": uuid.uuid4().hex})
    records: list[Read] = []
    for number in range(topic.partitions):
        position, end = consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=60)
        consumer.assign([TopicPartition(topic.name, number, position)])
        deadline = time.monotonic() + START_SECONDS
        while position < end:
            assert time.monotonic() < deadline, "the log cannot be read"
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                records.append(_read(message))
                position = records[-1].offset + 1
    consumer.close()
    return records


def _read(message: Any) -> Read:
    ((name, newest),) = message.headers()
    assert name == EVENT_TIME_HEADER
    place = (message.partition(), message.offset())
    return Read(*place, int(newest), message.timestamp()[1], message.value() or b"")


def tags_in(records: list[Read]) -> list[UserTag]:
    """The events in the records; each in the partition of its cookie, none refused by a reader."""
    found = []
    for record in records:
        decoded = decode([Record(record.offset, record.event_time, record.ingested, record.value)])
        assert decoded.rejects == [], decoded.rejects
        tags = tags_of(decoded.events)
        assert all(partition_of(tag.cookie, Topics().user_tags.partitions) == record.partition for tag in tags)
        found += tags
    return found
