"""An hour of error codes of two builds, from topic `points` to topic `alerts`: exactly the expected come and go."""

from uuid import UUID

import numpy as np
import pytest
from confluent_kafka import Producer

from contracts.alerts import Alert
from contracts.point_codec import encode_points
from contracts.points import Point, series_of
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import anomalies, metrics
from jobs.flink import Source
from tests.conftest import START_SECONDS, RealPart
from tests.flink.alert_topics import alerts, put_in_force, with_topics
from tests.flink.conftest import Environments
from tests.flink.polling import comes, wait_until
from tests.unit import test_rules_scenario as scenario
from tests.unit.test_rules_scenario import BINS, BUILDS, CODES, START, STEP

READY = """
  - {name: ready, kind: threshold, select: {metric: ready}, above: 0}
"""


class Points:
    """Writes points to their topic, a record a call, as a collector would."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.points.name
        self._producer = Producer({**settings.kafka_client, "acks": "all"})

    def send(self, points: list[Point]) -> None:
        newest = max(point.time for point in points)
        self._producer.produce(
            self._topic,
            encode_points(points),
            partition=0,
            timestamp=newest,
        )

    def flush(self) -> None:
        assert self._producer.flush(START_SECONDS) == 0


@pytest.fixture
def own(settings: Settings, broker: RealPart, clickhouse: RealPart) -> Settings:
    return with_topics(settings, points=1, series=2, rules=1, alerts=1, dead_letters=1)


def test_exactly_the_expected_alerts_come_and_go(environments: Environments, own: Settings) -> None:
    counts = scenario.an_hour(7)
    ((code, begin, end, first, last),) = scenario.by_numpy(counts)
    put_in_force(own, scenario.RULES + READY)
    ids = kafka_topics.ensure(own, START_SECONDS)
    env = environments(1)
    env.enable_checkpointing(500)
    metrics.build(env, own, Source(own.topics.points, UUID(ids[own.topics.points.name]), {}))
    anomalies.build(env, own, Source(own.topics.series, UUID(ids[own.topics.series.name]), {}))
    job = env.execute_async("error codes")
    try:
        points = Points(own)
        wait_for_rules(own, points)
        send_hour(points, counts)
        wait_until(lambda: len(of_errors(own)) >= 2)
    finally:
        job.cancel().result()
    firing, resolved = of_errors(own)
    scenario.assert_alert(firing, code, begin, first)
    scenario.assert_alert(resolved, code, begin, last, end)


def wait_for_rules(own: Settings, points: Points) -> None:
    """Sends minutes that lie before the hour until a rule is heard of."""
    for minute in range(-60, -30):
        for second in (0, 59):
            at = START + minute * MINUTE_MS + second * 1000
            points.send([Point(series_of("ready", "counter", {}), at, 1.0)])
        points.flush()
        if comes(lambda: bool(alerts(own)), 3.0):
            return
    raise AssertionError("no rule is in force")


def send_hour(points: Points, counts: scenario.Counts) -> None:
    """A record each ten seconds, its points anywhere within, and what closes the last of them."""
    random = np.random.default_rng(1)
    for number in range(BINS):
        some = []
        for build, code in np.argwhere(counts[:, :, number]):
            series = series_of("errors", "counter", {"build": BUILDS[build], "code": str(CODES[code])})
            times = START + number * STEP + random.integers(0, STEP, counts[build, code, number])
            some += [Point(series, int(time), 1.0) for time in times]
        points.send(some)
    points.send([Point(series_of("ready", "counter", {}), START + BINS * STEP + 5 * MINUTE_MS, 1.0)])
    points.flush()


def of_errors(own: Settings) -> list[Alert]:
    """Those of the rule under test."""
    return [alert for alert in alerts(own) if alert.rule == "errors"]
