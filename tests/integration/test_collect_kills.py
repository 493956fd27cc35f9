"""Collecting while the broker is killed, a producer lost, the API told to end: what is acknowledged is there, once."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from confluent_kafka import KafkaError

from api import metrics
from api.collect.producer import LogProducer, OutRecord
from contracts.settings import Settings
from contracts.tags import decode_tag, encode_tag
from tests.conftest import START_SECONDS, RealPart
from tests.integration.api_server import DRAIN_SECONDS, Answer, ApiServer
from tests.integration.deaf_proxy import DeafProxy
from tests.integration.tag_log import MARCH, NAME_VARIABLE, post_tags, read_log, tag_line, tags_in, with_topic

PATIENCE_SECONDS = 4  # of the API with the broker, in the test that kills it
RECOVERY_SECONDS = 120.0  # 2 s on a machine that has nothing else to do


@pytest.fixture
def topic(settings: Settings, broker: RealPart) -> Settings:
    """The settings with a topic of the test's own for tags."""
    return with_topic(settings)


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
    acknowledged = acknowledged_all(api, range(50))
    broker.kill()
    try:
        wait_for_refusal(api)
        refused = api.call("POST", "/user_tags", tag_line(1000))
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.seconds < PATIENCE_SECONDS  # at once, without asking the broker
        assert api.call("GET", "/readyz").json["links"]["kafka"]
    finally:
        broker.start()
    acknowledged |= acknowledged_all(api, range(2000, 2040))
    written = {tag.product_info.product_id for tag in tags_in(read_log(topic))}
    assert acknowledged <= written


def acknowledged_all(api: ApiServer, numbers: range) -> set[int]:
    """The tags that were acknowledged, once that were all of a call's: partitions come, and come back, one by one."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    found: set[int] = set()
    while True:
        answers = post_tags(api, numbers)
        found |= {number for number, answer in zip(numbers, answers, strict=True) if answer.status == 204}
        if set(numbers) <= found:
            return found
        assert time.monotonic() < deadline, [answer.body for answer in answers if answer.status != 204]
        numbers = range(numbers.stop, numbers.stop + len(numbers))


def wait_for_refusal(api: ApiServer) -> None:
    """Tags for one partition until its breaker is open."""
    with ThreadPoolExecutor(200) as pool:
        deadline = time.monotonic() + RECOVERY_SECONDS
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
    linger = {"TIDEWATCH_API__LINGER_MILLISECONDS": "5000"}
    api = ApiServer(topic, **{NAME_VARIABLE: topic.topics.user_tags.name}, **linger)
    assert statuses_of_the_last(api, 30) == [204] * 30
    assert len(tags_in(read_log(topic))) == 30


def test_sigterm_without_a_broker_answers_503_and_ends(topic: Settings) -> None:
    nowhere = {"TIDEWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "TIDEWATCH_API__DELIVERY_TIMEOUT_SECONDS": "60"}
    api = ApiServer(topic, **nowhere)
    assert statuses_of_the_last(api, 5) == [503] * 5


def statuses_of_the_last(api: ApiServer, count: int) -> list[int]:
    """Of so many tags that wait in the collector when SIGTERM comes; it ends well, and in time."""
    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(api.call, "POST", "/user_tags", tag(number)) for number in range(count)]
        wait_for_buffered(api, {answer: len(tag(number)) for number, answer in enumerate(answers)})
        started = time.monotonic()
        api.terminate()
        statuses = [answer.result().status for answer in answers]
    assert api.wait() == 0
    assert time.monotonic() - started < 2 * DRAIN_SECONDS  # a busy machine may need some seconds to end a process
    return statuses


def tag(number: int) -> bytes:
    """As the collector holds it."""
    return encode_tag(decode_tag(tag_line(number)))


def wait_for_buffered(api: ApiServer, sizes: dict[Future[Answer], int]) -> None:
    """Until the collector holds all of these tags, by the sizes of those without an answer, some at least: who has not
    even connected when SIGTERM comes is turned away."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        least = sum(size for answer, size in sizes.items() if not answer.done())
        assert least, "all were answered before the signal"
        lines = api.call("GET", "/metrics").body.decode().splitlines()
        buffered = [line.split()[1] for line in lines if line.startswith("tidewatch_api_buffered_bytes{")]
        if sum(map(float, buffered)) >= least:
            return
        assert time.monotonic() < deadline, "the tags do not come in"


def test_a_producer_that_is_lost_is_replaced(topic: Settings) -> None:
    """Told by hand that it is lost, because no broker fences a producer on demand."""
    replaced = metrics.PRODUCERS_REPLACED._value.get()  # no public way to read one value

    async def send(producer: LogProducer, partition: int) -> str | None:
        done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        producer.send(OutRecord(partition, tag_line(partition), MARCH, MARCH, 1), done.set_result)
        return await asyncio.wait_for(done, START_SECONDS)

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
