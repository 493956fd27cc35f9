"""The pipeline `anomalies` from a real Kafka into a real ClickHouse; run twice over the same log, as after a replay."""

import random
import time
from math import sin, tau
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Producer

from contracts import series
from contracts.series import Bin, Message, Progress
from contracts.settings import Settings, Topic
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import anomalies
from jobs.flink import Source
from stores import clickhouse as sessions
from tests.conftest import START_SECONDS, RealPart
from tests.flink.conftest import Environments

START = 1_655_251_200_000  # 2022-06-15T00:00:00Z
MINUTES = 600
BROKEN = 500
REVISED = 290.0
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.2


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
        found.append(series.encode([*messages, Progress(0, 1, MINUTE_MS, start + MINUTE_MS)]))
    late = Bin(metric, {}, MINUTE_MS, START + BROKEN * MINUTE_MS, REVISED, 290, 290)
    return [*found[: BROKEN + 5], series.encode([late]), b"no message", *found[BROKEN + 5 :]]


@pytest.fixture(scope="module")
def metric(environments: Environments, settings: Settings, broker: RealPart, clickhouse: RealPart) -> str:
    """The name of a metric whose bins were scored twice."""
    name = f"test-{uuid4().hex}"
    topic = Topic(name=f"closed-{name}", partitions=1)
    settings = settings.model_copy(update={"topics": settings.topics.model_copy(update={"series": topic})})
    topic_id = UUID(kafka_topics.ensure(settings, START_SECONDS)[topic.name])
    send(settings, records(name))
    for run in (1, 2):
        end = START + (MINUTES + run) * MINUTE_MS
        send(settings, [series.encode([Progress(0, 1, MINUTE_MS, end)])])
        env = environments(1)
        anomalies.build(env, settings, Source(topic, topic_id, {}))
        job = env.execute_async("anomalies")
        wait_for(settings, name, 2 * (MINUTES + run) - 1)  # the second series begins a minute later
        job.cancel().result()
    return name


def send(settings: Settings, values: list[bytes]) -> None:
    producer = Producer({**settings.kafka_client, "acks": "all"})
    for value in values:
        producer.produce(settings.topics.series.name, value, key="0")
    assert producer.flush(WAIT_SECONDS) == 0


def wait_for(settings: Settings, metric: str, count: int) -> None:
    """Until so many bins have a score's row."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := rows(settings, metric, "count()")) != [(count,)]:
        assert time.monotonic() < deadline, found
        time.sleep(POLL_SECONDS)


def rows(settings: Settings, metric: str, columns: str, where: str = "1") -> list[tuple[object, ...]]:
    with sessions.connect(settings) as client:
        statement = f"SELECT {columns} FROM scores FINAL WHERE metric = {{metric:String}} AND {where}"  # noqa: S608
        return [tuple(row) for row in client.query(statement, {"metric": metric}).result_rows]


def test_a_minute_of_zero_is_found_and_its_value_is_corrected_later(settings: Settings, metric: str) -> None:
    broken = START // 1000 + BROKEN * 60
    columns = "revised.revision, revised.value, score > 4.5, expected > 200, lower > 0, channel"
    ((revision, value, *said),) = rows(
        settings, metric, columns, f"empty(labels) AND toUnixTimestamp(start) = {broken}"
    )
    assert (revision, value) == (290, REVISED)
    assert said[:3] == [1, 1, 1]
    assert said[3] in ("deviation", "novelty")


def test_a_quiet_series_has_rows_of_zero(settings: Settings, metric: str) -> None:
    found = rows(settings, metric, "revised.value, count()", "labels['origin'] = 'X' GROUP BY revised.value")
    # From its first bin, in minute 1, to the last that was closed.
    assert sorted(found) == [(0.0, MINUTES // 3 - 1 + 2), (2.0, MINUTES - MINUTES // 3)]


def test_ordinary_minutes_are_no_anomalies(settings: Settings, metric: str) -> None:
    ((count,),) = rows(
        settings, metric, "count()", f"score > 4.5 AND toUnixTimestamp(start) < {START // 1000 + BROKEN * 60}"
    )
    assert isinstance(count, int) and count <= 2
