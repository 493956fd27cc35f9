"""The pipeline `anomalies` from a real Kafka into a real ClickHouse, which is away at first.

It runs twice over the same log, as after a replay.
"""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import sin, tau
from typing import cast
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from contracts import series
from contracts.names import AGGREGATES_TABLE
from contracts.series import Bin, Message, Progress
from contracts.settings import Settings, Topic
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import anomalies, outbox
from jobs.flink import Source
from stores import clickhouse as sessions
from tests.conftest import START_SECONDS, RealPart
from tests.flink.conftest import Environments
from tests.flink.polling import wait_until

START = 1_655_251_200_000  # 2022-06-15T00:00:00Z
MINUTES = 600
END = START // 1000 + 86_400
BROKEN = 500
AT = START // 1000 + BROKEN * 60
REVISED = 290.0
AHEAD = 5  # minutes
WARM_UP = 100  # minutes within which a series without a history is silent
WAIT_SECONDS = 300.0


def records(metric: str) -> list[bytes]:
    """A record a minute: one series that is zero in minute BROKEN, until it is revised, and one that is quiet in every
    third."""
    dice = random.Random(7)  # noqa: S311  # repeatable
    found = []
    for minute in range(MINUTES):
        start = START + minute * MINUTE_MS
        messages: list[Message] = []
        if minute != BROKEN:
            value = round(300 + 50 * sin(minute * tau / 1440) + dice.gauss(0, 5))
            messages.append(Bin(metric, {}, MINUTE_MS, start, value, value, value))
        if minute % 3:
            messages.append(Bin(metric, {"origin": "X"}, MINUTE_MS, start, 2, 2, 2))
        found.append(series.encode([*messages, progress(minute + 1)]))
    late = Bin(metric, {}, MINUTE_MS, START + BROKEN * MINUTE_MS, REVISED, 290, 290)
    return [*found[: BROKEN + 5], series.encode([late]), b"no message", *found[BROKEN + 5 :]]


def progress(minute: int) -> Progress:
    return Progress(0, 1, MINUTE_MS, START + minute * MINUTE_MS)


@pytest.fixture(scope="module")
def own(settings: Settings, broker: RealPart) -> Settings:
    """With a topic `series` of its own."""
    topic = Topic(name=f"closed-{uuid4().hex}", partitions=1)
    return settings.model_copy(update={"topics": settings.topics.model_copy(update={"series": topic})})


@pytest.fixture(scope="module")
def metric(environments: Environments, own: Settings, clickhouse: RealPart) -> str:
    """The name of a metric whose bins were scored twice: of counts, so that a quiet minute is zero."""
    name = "user_tags_buys"
    send(own, records(name))
    for run in (1, 2):
        send(own, [series.encode([progress(MINUTES + run)])])
        bins = 2 * (MINUTES + run) - 1  # the second series begins a minute later
        clickhouse.kill()
        with warned(outbox.logger) as waits, running(environments, own):
            wait_until(lambda waits=waits: bool(waits), WAIT_SECONDS)  # type: ignore[misc]  # a default argument
            clickhouse.start()
            wait_until(lambda bins=bins: rows(own, name, "count()") == [(bins,)], WAIT_SECONDS)  # type: ignore[misc]
    return name


@contextmanager
def running(environments: Environments, settings: Settings) -> Iterator[None]:
    """The pipeline runs."""
    topic = settings.topics.series
    topic_id = UUID(kafka_topics.ensure(settings, START_SECONDS)[topic.name])
    env = environments(1)
    anomalies.build(env, settings, Source(topic, topic_id, {}))
    job = env.execute_async("anomalies")
    yield
    job.cancel().result()


@contextmanager
def warned(logger: logging.Logger) -> Iterator[list[str]]:
    """What the logger warns of meanwhile: Flink's Python functions run in this process."""
    told: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield told
    logger.removeHandler(handler)


def send(settings: Settings, values: list[bytes]) -> None:
    kafka_topics.ensure(settings, START_SECONDS)
    producer = Producer({**settings.kafka_client, "acks": "all"})
    for value in values:
        producer.produce(settings.topics.series.name, value, key="0")
    assert producer.flush(WAIT_SECONDS) == 0


def rows(settings: Settings, metric: str, columns: str, where: str = "1") -> list[tuple[object, ...]]:
    with sessions.connect(settings) as client:
        known = f"metric = {{metric:String}} AND toUnixTimestamp(start) < {END}"  # other tests write of other times
        statement = f"SELECT {columns} FROM scores WHERE {known} AND {where}"  # noqa: S608
        return [tuple(row) for row in client.query(statement, {"metric": metric}).result_rows]


def test_a_minute_of_zero_is_found_and_its_value_is_corrected_later(own: Settings, metric: str) -> None:
    columns = "revision, value, score > 4.5, expected > 200, lower > 0, channel"
    ((revision, value, *said),) = rows(own, metric, columns, f"empty(labels) AND toUnixTimestamp(start) = {AT}")
    assert (revision, value) == (290, REVISED)
    assert said[:3] == [1, 1, 1]
    assert said[3] in ("deviation", "novelty")


def test_a_quiet_series_has_rows_of_zero(own: Settings, metric: str) -> None:
    found = rows(own, metric, "value, count()", "labels['origin'] = 'X' GROUP BY value")
    # From its first bin, in minute 1, to the last that was closed.
    assert sorted(found) == [(0.0, MINUTES // 3 - 1 + 2), (2.0, MINUTES - MINUTES // 3)]


def test_ordinary_minutes_are_no_anomalies(own: Settings, metric: str) -> None:
    ((count,),) = rows(own, metric, "count()", f"score > 4.5 AND toUnixTimestamp(start) < {AT}")
    assert isinstance(count, int)
    assert count <= 2


def test_of_too_many_rows_the_oldest_are_dropped(
    environments: Environments, own: Settings, clickhouse: RealPart
) -> None:
    name = "user_tags_revenue"  # which no other test here sends
    topics = own.topics.model_copy(update={"series": Topic(name=f"closed-{uuid4().hex}", partitions=1)})
    detection = own.detection.model_copy(update={"unwritten_bytes": 50_000})
    own = own.model_copy(update={"topics": topics, "detection": detection})
    send(own, records(name))
    newest = f"toUnixTimestamp(start) = {START // 1000 + (MINUTES - 1) * 60}"
    clickhouse.kill()
    with warned(outbox.logger) as told, running(environments, own):
        wait_until(lambda: any("are dropped" in text for text in told), WAIT_SECONDS)
        clickhouse.start()
        wait_until(lambda: rows(own, name, "count()", newest) == [(2,)], WAIT_SECONDS)
    ((count,),) = rows(own, name, "count()")
    assert isinstance(count, int)
    assert 2 <= count < 2 * MINUTES - 1


def test_a_new_series_begins_with_its_history(environments: Environments, own: Settings, clickhouse: RealPart) -> None:
    brand = uuid4().hex
    topic = Topic(name=f"closed-{brand}", partitions=1)
    own = own.model_copy(update={"topics": own.topics.model_copy(update={"series": topic})})
    insert_history(own, brand, days=4)
    minutes = iter(range(WARM_UP))
    sent = 0

    def has_band() -> bool:
        """Sends another minute each time, but few that are not scored yet: the job may take its time to begin."""
        nonlocal sent
        ((scored, with_band),) = rows(own, "user_tags_views", "count(), count(upper)", f"labels['brand'] = '{brand}'")
        if sent < cast(int, scored) + AHEAD:
            minute = next(minutes)
            one = Bin("user_tags_views", {"brand": brand}, MINUTE_MS, START + minute * MINUTE_MS, 5, 5, 5)
            send(own, [series.encode([one, progress(minute + 1)])])
            sent += 1
        return with_band != 0

    with running(environments, own):
        wait_until(has_band, WAIT_SECONDS)


def insert_history(settings: Settings, brand: str, days: int) -> None:
    """Counts of views before START, a few of them in each minute."""
    dice, length = random.Random(8), days * 1440  # noqa: S311  # repeatable
    minutes = [START // 1000 - 60 * (length - number) for number in range(length)]
    rows = pa.table(
        {
            "minute": pa.array(minutes, pa.uint32()),
            "action": ["VIEW"] * length,
            "origin": [""] * length,
            "brand_id": [brand] * length,
            "category_id": [""] * length,
            "topic_id": [str(uuid4())] * length,
            "partition": pa.array([0] * length, pa.uint16()),
            "block": pa.array(range(length), pa.int64()),
            "version": pa.array(range(length), pa.int64()),
            "count": pa.array([dice.randrange(3, 8) for _ in range(length)], pa.uint64()),
            "sum_price": pa.array([0] * length, pa.int64()),
            "ingested": pa.array([int(time.time() * 1000)] * length, pa.timestamp("ms", tz="UTC")),
        }
    )
    with sessions.connect(settings) as client:
        client.insert_arrow(AGGREGATES_TABLE, rows)
