"""Collecting into a real broker: what is acknowledged is there, through kills and a shutdown."""

import asyncio
import gzip
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import zstandard
from confluent_kafka import Consumer, KafkaError, TopicPartition

from api import metrics
from api.collect.lane import partition_of
from api.collect.producer import LogProducer, OutRecord
from contracts.codec import Record, decode, is_arrow
from contracts.events import tags_of
from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings, Topic, Topics
from contracts.tags import UserTag, encode_tag
from infra import log_size, log_start
from infra import topics as kafka_topics
from tests.conftest import START_SECONDS, RealPart
from tests.integration.api_server import DRAIN_SECONDS, Answer, ApiServer
from tests.integration.deaf_proxy import DeafProxy

NAME_VARIABLE = "TIDEWATCH_TOPICS__USER_TAGS__NAME"
MARCH = 1_646_092_800_000  # 2022-03-01T00:00:00Z
PATIENCE_SECONDS = 4  # of the API with the broker, in the test that kills it
RECOVERY_SECONDS = 30.0  # 2 s on a machine that has nothing else to do


def with_topic(settings: Settings) -> Settings:
    """The settings with a topic of its own for tags, which is there."""
    own = settings.topics.user_tags.model_copy(update={"name": f"tags-{uuid.uuid4().hex[:8]}"})
    changed = settings.model_copy(update={"topics": settings.topics.model_copy(update={"user_tags": own})})
    kafka_topics.ensure(changed, START_SECONDS)
    return changed


@pytest.fixture
def topic(settings: Settings, broker: RealPart) -> Settings:
    """The settings with a topic of the test's own for tags."""
    return with_topic(settings)


@pytest.fixture(scope="module")
def served(settings: Settings, broker: RealPart) -> Settings:
    """The settings with the topic into which `api` writes."""
    return with_topic(settings)


@pytest.fixture(scope="module")
def api(served: Settings) -> Iterator[ApiServer]:
    """One for all tests that do it no harm."""
    server = ApiServer(served, **{NAME_VARIABLE: served.topics.user_tags.name})
    yield server
    server.stop()


@pytest.fixture
def log(served: Settings, api: ApiServer) -> Settings:
    """Of `served`, whose log holds nothing."""
    empty(served, served.topics.user_tags)
    return served


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


class Read(NamedTuple):
    """A record as it stands in the log, its newest event's time and Kafka's own, both in epoch milliseconds."""

    partition: int
    offset: int
    event_time: int
    ingested: int
    value: bytes


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
        position, end = consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=10)
        consumer.assign([TopicPartition(topic.name, number, position)])
        deadline = time.monotonic() + 30
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
        assert decoded.rejects == []
        tags = tags_of(decoded.events)
        assert all(partition_of(tag.cookie, Topics().user_tags.partitions) == record.partition for tag in tags)
        found += tags
    return found


def post_tags(server: ApiServer, numbers: range, threads: int = 32) -> list[Answer]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda number: server.call("POST", "/user_tags", tag_line(number)), numbers))


def test_tags_are_joined_to_records_and_stamped(log: Settings, api: ApiServer) -> None:
    before = int(time.time() * 1000)
    answers = post_tags(api, range(400))
    assert [(answer.status, answer.body) for answer in answers] == [(204, b"")] * 400
    records = read_log(log)
    assert len(records) < 400
    assert sorted(tag.product_info.product_id for tag in tags_in(records)) == list(range(400))
    for record in records:
        newest = max(int(tag.cookie.removeprefix("cookie")) for tag in tags_in([record]))
        assert record.event_time == MARCH + newest
        assert before <= record.ingested <= int(time.time() * 1000)


def test_what_is_odd_but_right_comes_through(log: Settings, api: ApiServer) -> None:
    product = {"product_id": "0", "brand_id": 'ż\n"', "category_id": "🐢", "price": -(2**31)}
    oldest = tag_line(1, time=0, cookie="ż", product_info=product, more=[1])
    soon = tag_line(2, time=int(time.time() * 1000) + 200_000)
    assert api.call("POST", "/user_tags", oldest).status == 204
    assert api.call("POST", "/user_tags", soon).status == 204
    found = {tag.cookie: tag for tag in tags_in(read_log(log))}
    assert found["ż"].time == 0
    assert found["ż"].product_info.product_id == "0"
    assert b"more" not in encode_tag(found["ż"])
    assert set(found) == {"ż", "cookie2"}


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_bulk_keeps_every_good_line(log: Settings, api: ApiServer, encoding: str) -> None:
    lines = [tag_line(number) for number in range(6000)]
    lines[7], lines[4000] = b'{"time":1}', tag_line(1, device="FRIDGE")
    lines[8] = tag_line(8, product_info={"product_id": 2**63 - 1, "brand_id": "b", "category_id": "c", "price": 1})
    body = b"\n".join(lines)
    packed = {"identity": body, "gzip": gzip.compress(body), "zstd": zstandard.compress(body)}[encoding]
    answer = api.call("POST", "/v1/user-tags", packed, {"Content-Encoding": encoding})
    assert answer.status == 202, answer.body
    assert (answer.json["accepted"], answer.json["rejected"]) == (5998, 2)
    assert [(error["line"], error["field"]) for error in answer.json["errors"]][1] == (4001, "device")
    records = read_log(log)
    written = [tag.product_info.product_id for tag in tags_in(records)]
    assert sorted(written) == sorted([*(set(range(6000)) - {7, 8, 4000}), 2**63 - 1])
    assert sum(is_arrow(record.value) for record in records) == log.topics.user_tags.partitions


def test_a_small_bulk_joins_the_batches(log: Settings, api: ApiServer) -> None:
    answer = api.call("POST", "/v1/user-tags", b"\n".join(map(tag_line, range(20))))
    assert answer.json == {"accepted": 20, "rejected": 0, "errors": []}
    records = read_log(log)
    assert not any(is_arrow(record.value) for record in records)
    assert len(tags_in(records)) == 20


def test_bulk_beyond_the_bounds(log: Settings, api: ApiServer) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    assert api.call("POST", "/v1/user-tags", bomb, {"Content-Encoding": "gzip"}).status == 413
    errors = api.call("POST", "/v1/user-tags", b"\n".join([b"x"] * 300 + [tag_line(1)])).json
    assert (errors["accepted"], errors["rejected"], len(errors["errors"])) == (1, 300, 100)


@pytest.fixture
def impatient(topic: Settings) -> Iterator[ApiServer]:
    """An API that gives up on the broker after 4 s, so that the test need not wait for 10."""
    patience = {"TIDEWATCH_API__DELIVERY_TIMEOUT_SECONDS": str(PATIENCE_SECONDS)}
    server = ApiServer(topic, **{NAME_VARIABLE: topic.topics.user_tags.name}, **patience)
    yield server
    server.stop()


def test_a_killed_broker_loses_nothing_and_is_found_again(
    topic: Settings, impatient: ApiServer, broker: RealPart
) -> None:
    api = impatient
    acknowledged = {number for number, answer in enumerate(post_tags(api, range(50))) if answer.status == 204}
    assert len(acknowledged) == 50
    broker.kill()
    try:
        wait_for_refusal(api)
        refused = api.call("POST", "/user_tags", tag_line(1000))
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.seconds < PATIENCE_SECONDS / 2  # at once, without asking the broker
        assert api.call("GET", "/readyz").json["links"]["kafka"]
    finally:
        broker.start()
    deadline = time.monotonic() + RECOVERY_SECONDS
    more = range(2000, 2040)
    while True:  # partitions come back one by one
        answers = post_tags(api, more)
        acknowledged |= {number for number, answer in zip(more, answers, strict=True) if answer.status == 204}
        if set(more) <= acknowledged:
            break
        assert time.monotonic() < deadline, [answer.body for answer in answers if answer.status != 204]
        more = range(more.stop, more.stop + 40)
    written = {tag.product_info.product_id for tag in tags_in(read_log(topic))}
    assert acknowledged <= written


def wait_for_refusal(api: ApiServer) -> None:
    """Tags for one partition until its breaker is open."""
    with ThreadPoolExecutor(200) as pool:
        deadline = time.monotonic() + 20
        pool.submit(api.call, "POST", "/user_tags", tag_line(1000))
        while time.monotonic() < deadline:
            answer = pool.submit(api.call, "POST", "/user_tags", tag_line(1000)).result
            try:
                if answer(timeout=0.5).status == 503:
                    return
            except TimeoutError:
                continue
    pytest.fail("tags are not refused")


def test_sigterm_finishes_what_is_in_flight(topic: Settings) -> None:
    """The tags wait for their batch when the signal comes."""
    linger = {"TIDEWATCH_API__LINGER_MILLISECONDS": "3000"}
    api = ApiServer(topic, **{NAME_VARIABLE: topic.topics.user_tags.name}, **linger)
    with ThreadPoolExecutor(30) as pool:
        answers = [pool.submit(api.call, "POST", "/user_tags", tag_line(number)) for number in range(30)]
        wait_for_buffered(api, sum(len(tag_line(number)) for number in range(30)) // 2)
        started = time.monotonic()
        api.terminate()
        statuses = [answer.result().status for answer in answers]
    assert statuses == [204] * 30
    assert api.wait() == 0
    assert time.monotonic() - started < DRAIN_SECONDS
    assert len(tags_in(read_log(topic))) == 30


def wait_for_buffered(api: ApiServer, least: int) -> None:
    """Until the collector holds so many bytes."""
    deadline = time.monotonic() + 10
    while True:
        lines = api.call("GET", "/metrics").body.decode().splitlines()
        buffered = [line.split()[1] for line in lines if line.startswith("tidewatch_api_buffered_bytes{")]
        if sum(map(float, buffered)) >= least:
            return
        assert time.monotonic() < deadline, "the tags do not come in"


def test_quiet_partitions_of_a_live_topic_get_ticks(topic: Settings) -> None:
    own = {NAME_VARIABLE: topic.topics.user_tags.name, "TIDEWATCH_TOPICS__USER_TAGS__LIVE": "true"}
    api = ApiServer(topic, **own)
    try:
        deadline = time.monotonic() + 20
        records = read_log(topic)
        while {record.partition for record in records} != set(range(topic.topics.user_tags.partitions)):
            assert time.monotonic() < deadline, "no ticks"
            records = read_log(topic)
    finally:
        api.stop()
    assert tags_in(records) == []
    assert all(abs(record.event_time - time.time() * 1000) < 60_000 for record in records)


def test_a_producer_that_is_lost_is_replaced(topic: Settings) -> None:
    """Told by hand that it is lost, because no broker fences a producer on demand."""
    replaced = metrics.PRODUCERS_REPLACED._value.get()  # no public way to read one value

    async def send(producer: LogProducer, partition: int) -> str | None:
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        producer.send(OutRecord(partition, tag_line(partition), MARCH, MARCH, 1), done.set_result)
        return await asyncio.wait_for(done, 20)

    async def run() -> list[str | None]:
        producer = LogProducer(topic, topic.topics.user_tags, asyncio.get_running_loop())
        first = await send(producer, 0)
        fenced = KafkaError(KafkaError._FATAL, "fenced", fatal=True)
        await asyncio.to_thread(producer._link._on_error, fenced)
        second = await send(producer, 1)
        await asyncio.to_thread(producer.close, 5)
        return [first, second]

    assert asyncio.run(run()) == [None, None]
    assert metrics.PRODUCERS_REPLACED._value.get() == replaced + 1
    assert len(read_log(topic)) == 2


def test_what_a_broker_wrote_and_could_not_answer_is_written_once(topic: Settings, broker: RealPart) -> None:
    """It is killed when it has the record on disk and its answer has not arrived; the producer sends again."""

    async def run() -> None:
        proxy = DeafProxy(topic.kafka.port)
        await proxy.start()
        there = {"bootstrap_servers": f"127.0.0.1:{proxy.port}"}
        patient = topic.api.model_copy(update={"delivery_timeout_seconds": START_SECONDS})
        behind = topic.model_copy(update={"kafka": topic.kafka.model_copy(update=there), "api": patient})
        producer = LogProducer(behind, topic.topics.user_tags, asyncio.get_running_loop())

        def send(number: int) -> asyncio.Future[str | None]:
            done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            clock = int(time.time() * 1000)
            producer.send(OutRecord(0, tag_line(number), MARCH, clock, 1), done.set_result)
            return done

        assert await asyncio.wait_for(send(1), START_SECONDS) is None
        proxy.deafen()
        second = send(2)
        await asyncio.to_thread(wait_for_records, topic, 2)
        assert not second.done()  # else the answer went round the proxy
        broker.kill()
        proxy.hear()
        broker.start()  # in this thread: the broker ends with the thread that started it
        assert await asyncio.wait_for(second, START_SECONDS) is None
        await asyncio.to_thread(producer.close, 5)
        proxy.close()

    asyncio.run(run())
    assert [tag.product_info.product_id for tag in tags_in(read_log(topic))] == [1, 2]


def wait_for_records(settings: Settings, number: int) -> None:
    """Until the log holds so many."""
    deadline = time.monotonic() + START_SECONDS
    while len(read_log(settings)) < number:
        assert time.monotonic() < deadline, "the broker does not get the records"


def test_sigterm_without_a_broker_answers_503_and_ends(topic: Settings) -> None:
    nowhere = {"TIDEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "TIDEWATCH_API__DELIVERY_TIMEOUT_SECONDS": "60"}
    api = ApiServer(topic, **nowhere)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(api.call, "POST", "/user_tags", tag_line(number)) for number in range(5)]
        wait_for_buffered(api, sum(len(tag_line(number)) for number in range(5)) // 2)
        started = time.monotonic()
        api.terminate()
        statuses = [answer.result().status for answer in answers]
    assert statuses == [503] * 5
    assert api.wait() == 0
    assert time.monotonic() - started < DRAIN_SECONDS
