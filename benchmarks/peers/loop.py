"""No framework: a consumer, a decoder and a dictionary. The floor; nothing outlives a crash."""

from collections.abc import Iterator
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from benchmarks.peers.task import MINUTE_MS, Found, Lists, Task, no_lists, read, remember, tell


def main() -> None:
    """One process, one thread of Python."""
    task = read()
    tell(_aggregate(task) if task.kind == "aggregate" else _profiles(task))


def _aggregate(task: Task) -> Found:
    groups: dict[tuple[int, str, str, str, str], list[int]] = {}
    for message, tag in _tags(task):
        product = tag["product_info"]
        key = (_time(message) // MINUTE_MS, tag["action"], tag["origin"], product["brand_id"], product["category_id"])
        sums = groups.setdefault(key, [0, 0])
        sums[0] += 1
        sums[1] += product["price"]
    found = Found()
    for count, price in groups.values():
        found.add(count, price)
    return found


def _profiles(task: Task) -> Found:
    profiles: dict[bytes, Lists] = {}
    for message, tag in _tags(task):
        lists = profiles.setdefault(bytes(message.key() or b""), no_lists())
        remember(lists, _time(message), f"{message.partition()}-{message.offset()}", tag)
    found = Found()
    for lists in profiles.values():
        for entries in lists.values():
            found.add_list(entries)
    return found


def _tags(task: Task) -> Iterator[tuple[Message, Any]]:
    options = {"bootstrap.servers": task.broker, "group.id": f"loop-{task.run}", "auto.offset.reset": "earliest"}
    # The default backoff of a second leaves a fast reader without messages.
    consumer = Consumer({**options, "enable.auto.commit": False, "fetch.queue.backoff.ms": 5})
    partitions = consumer.list_topics(task.topic).topics[task.topic].partitions
    consumer.assign([TopicPartition(task.topic, number, OFFSET_BEGINNING) for number in partitions])
    decode = msgspec.json.Decoder().decode
    left = task.events
    while left:
        messages = consumer.consume(min(left, 1000), timeout=0.5)
        left -= len(messages)
        for message in messages:
            yield message, decode(message.value() or b"")
    consumer.close()


def _time(message: Message) -> int:
    return int(message.timestamp()[1])


if __name__ == "__main__":
    main()
