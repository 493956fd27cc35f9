"""The topics that all peers read: one JSON tag a record, keyed as the task wants it, so nobody has to repartition."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from confluent_kafka import Producer

from benchmarks.peers.task import MINUTE_MS, Found
from contracts.settings import Settings
from contracts.tags import UserTag, encode_tag
from infra import topics
from testbed.generator import Traffic

PARTITIONS: Final = 2
IN_FLIGHT: Final = 10_000


class Stream(NamedTuple):
    """A topic with the first `events` tags of the traffic, and what a right answer about them adds up to."""

    kind: str
    topic: str
    events: int
    expected: Found


def fill(settings: Settings, kind: str, events: int, timeout: float) -> Stream:
    """Makes the topic; TopicError when that takes over `timeout` seconds."""
    name = f"{kind}-{events}"
    own = settings.topics.user_tags.model_copy(update={"name": name, "partitions": PARTITIONS})
    changed = settings.topics.model_copy(update={"user_tags": own})
    topics.ensure(settings.model_copy(update={"topics": changed}), timeout)
    producer = Producer({**settings.kafka_client, "acks": "all", "compression.type": "lz4", "linger.ms": 50})
    for time, tag in _tags(events):
        while len(producer) > IN_FLIGHT:
            producer.poll(0.01)
        producer.produce(name, encode_tag(tag), key=_key(kind, tag), timestamp=time)
    producer.flush()
    return Stream(kind, name, events, _expected(kind, events))


def _expected(kind: str, events: int) -> Found:
    groups: set[tuple[int | str, ...]] = set()
    price = 0
    for time, tag in _tags(events):
        groups.add((time // MINUTE_MS, _key(kind, tag)) if kind == "aggregate" else (tag.cookie, tag.action))
        price += tag.product_info.price
    return Found(len(groups), events, price)


def _tags(events: int) -> Iterator[tuple[int, UserTag]]:
    traffic = Traffic(seed=1)
    return ((traffic.time(index), traffic.tag(index)) for index in range(events))


def _key(kind: str, tag: UserTag) -> str:
    if kind == "profile":
        return tag.cookie
    product = tag.product_info
    return "|".join((tag.action, tag.origin, product.brand_id, product.category_id))
