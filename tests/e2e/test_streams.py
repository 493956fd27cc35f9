"""What disturbs a stream and must change nothing: other times, other streams, malformed lines, restarts."""

import os
import signal
import time

import msgspec
from confluent_kafka import Consumer, Message, TopicPartition

from cli import supervision
from contracts import dead_letters
from contracts.settings import Settings
from contracts.tags import UserTag, encode_tag
from testbed.generator import START_MS, Traffic
from testbed.queries import MINUTE_MS, AggregateQuery
from tests.e2e.world import PATIENCE, Query, World, questions, wait_until

DAY_MS = 86_400_000
COUNTS = ("COUNT", "SUM_PRICE")


def test_todays_tag_in_the_middle_of_an_old_stream_changes_nothing_else(world: World) -> None:
    traffic = Traffic(21, START_MS + 60 * DAY_MS + 59_900)
    stream = [traffic.tag(index) for index in range(200)]  # the middle of it is a minute's end
    now = int(time.time() * 1000)
    curl = msgspec.structs.replace(traffic.tag(1000), time=now, cookie="curl")
    for at, tag in enumerate(stream):
        world.post(tag)
        if at == 100:
            world.post(curl)
    world.agree([*questions([curl, *stream[:3], *stream[-3:]]), *_minutes(traffic.start_ms)])


def test_minutes_late_and_in_reverse(world: World) -> None:
    traffic = Traffic(22, START_MS + 61 * DAY_MS, step_ms=5_000)
    stream = [traffic.tag(index) for index in range(60)]  # five minutes
    world.post_bulk(stream[::-1])
    world.post_bulk(stream[:3])  # once more: other events, as they stand at another place of the log
    world.agree([*questions(stream[:5]), *_minutes(traffic.start_ms, 5)])


def test_malformed_lines_become_dead_letters_once_and_good_lines_count(stack: Settings, world: World) -> None:
    traffic = Traffic(23, START_MS + 62 * DAY_MS)
    good = [traffic.tag(index) for index in range(3)]
    bad = [
        b"{",
        b'{"time": 1}',
        b"\xff\xfe\x00",
        encode_tag(good[0]).replace(b'"VIEW"', b'"LOOK"').replace(b"BUY", b"LOOK"),
    ]
    lines = [encode_tag(good[0]), bad[0], encode_tag(good[1]), *bad[1:], encode_tag(good[2])]
    world.produce_bytes(b"\n".join(lines), partition=1)
    world.produce_bytes(b"\xff\xff\xff\xff no Arrow", partition=1)
    world.produce_bytes(b"the last", partition=1)
    for tag in good:
        world.oracle.add(tag)
    world.agree([*questions(good), *_minutes(traffic.start_ms, 1)])
    letters = _letters_until(stack, b"the last")
    # Of one partition, in order: nothing between the first and the last is missing or doubled.
    mine = letters[next(at for at, letter in enumerate(letters) if letter.original() == bad[0]) :]
    assert [letter.original() for letter in mine] == [*bad, b"\xff\xff\xff\xff no Arrow", b"the last"]
    assert [letter.line for letter in mine] == [1, 3, 4, 5, -1, 0]
    assert len({letter.id for letter in letters}) == len(letters)
    assert mine[3].field == "action"
    assert all(letter.reason and letter.partition == 1 for letter in mine)


def test_a_replay_after_a_kill_counts_nothing_twice_and_loses_nothing(stack: Settings, world: World) -> None:
    traffic = Traffic(24, START_MS + 63 * DAY_MS + 58_000, cookies=50)
    stream = [traffic.tag(index) for index in range(4_000)]
    world.post_bulk(stream[:1_500])
    killed = _pid(stack, "flink-taskmanager")
    os.kill(killed, signal.SIGKILL)
    world.post_bulk(stream[1_500:3_000])  # the collector needs no Flink
    wait_until(lambda: "not yet" if _pid(stack, "flink-taskmanager") in (0, killed) else None)
    world.post_bulk(stream[3_000:])
    world.agree([*_minutes(traffic.start_ms), *questions(stream[::400])])
    wait_until(lambda: "not ready" if not (supervision.ask(stack) or {}).get("ready") else None)
    assert [world.check(query) for query in _minutes(traffic.start_ms)] == [None] * len(_minutes(traffic.start_ms))


def _minutes(start_ms: int, number: int = 2) -> list[Query]:
    """The minutes from that of `start_ms` on, in total, and one on each side of them."""
    first = start_ms // MINUTE_MS * MINUTE_MS
    begin, end = first - MINUTE_MS, first + (number + 1) * MINUTE_MS
    return [AggregateQuery(begin, end, action, COUNTS) for action in ("VIEW", "BUY")]


def _pid(stack: Settings, part: str) -> int:
    state = supervision.ask(stack) or {"links": []}
    return next((link.get("pid") or 0 for link in state["links"] if link["name"] == part), 0)


def _letters_until(stack: Settings, last: bytes) -> list[dead_letters.DeadLetter]:
    """All dead letters that a careful reader sees, up to the one with these bytes."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.bootstrap_servers,
            "group.id": "never-committed",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(stack.topics.dead_letters.name, 0, 0)])
    letters: list[dead_letters.DeadLetter] = []
    deadline = time.monotonic() + PATIENCE
    while not letters or letters[-1].original() != last:
        assert time.monotonic() < deadline, letters
        message: Message | None = consumer.poll(0.5)
        if message is not None and message.error() is None:
            letters.append(dead_letters.decode(message.value() or b""))
    consumer.close()
    return letters


def test_times_and_ids_come_back_as_they_were_spelled(world: World) -> None:
    """`time` as a number, ids as number and text: each comes back as it came in."""
    traffic = Traffic(25, START_MS + 64 * DAY_MS)
    one = traffic.tag(0)
    spellings: list[UserTag] = []
    for product_id in (0, "0", -1, 2**63 - 1, "9223372036854775807", "ünï"):
        product = msgspec.structs.replace(one.product_info, product_id=product_id)
        spellings.append(msgspec.structs.replace(one, time=traffic.start_ms, product_info=product))
    for tag in spellings[:3]:
        world.post(tag)
    world.post_bulk(spellings[3:])
    world.agree(questions(spellings))
    world.agree(questions(spellings), method="GET")
