"""Rules in the pipeline `anomalies`: bins and rules from a real Kafka, alerts back to it, each once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import Producer
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.common.job_client import JobClient
from pyflink.java_gateway import get_gateway

from contracts import series
from contracts.series import Bin, Message, Progress
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import anomalies
from jobs.flink import Source
from tests.conftest import START_SECONDS, RealPart
from tests.flink.alert_topics import alerts, put_in_force, with_topics
from tests.flink.conftest import Environments
from tests.flink.polling import comes, wait_until

START = 1_655_251_200_000  # 2022-06-15T00:00:00Z
CHECKPOINT_MS = 500
TRY_SECONDS = 3.0
RULES = """
rules:
  - {name: each, kind: threshold, select: {metric: load}, above: %d}
  - {name: together, kind: threshold, select: {metric: load}, by: [], above: 15, quiet: zero}
  - {name: silent, kind: absent, select: {metric: load}, by: [host], for: 2m}
"""
Said = tuple[str, str, str, int]


@pytest.fixture
def own(settings: Settings, broker: RealPart, clickhouse: RealPart) -> Settings:
    """With topics of the test's own, the bins in two partitions."""
    return with_topics(settings, rules=1, alerts=1, series=2)


@contextmanager
def running(environments: Environments, settings: Settings, savepoint: str = "") -> Iterator[JobClient]:
    """The pipeline runs, from its beginning or from a savepoint."""
    topic = settings.topics.series
    env = environments(1)
    env.enable_checkpointing(CHECKPOINT_MS)
    if savepoint:
        options = Configuration()
        options.set_string("execution.state-recovery.path", savepoint)
        # Tables of a second job built in one JVM are numbered otherwise: their sources and sinks begin anew. What the
        # operators know is restored, and is what this is about. Each submission of the platform has a JVM of its own.
        options.set_string("execution.state-recovery.ignore-unclaimed-state", "true")
        env.configure(options)
    topic_id = UUID(kafka_topics.ensure(settings, START_SECONDS)[topic.name])
    anomalies.build(env, settings, Source(topic, topic_id, {}))
    job = env.execute_async("rules")
    try:
        yield job
    finally:
        with suppress(Py4JJavaError):  # a job that was stopped is gone
            job.cancel().result()


def stop(job: JobClient, folder: Path) -> str:
    """Stops the job with a savepoint, whose path it returns. PyFlink 2.2 calls a method that Flink has no more."""
    formats = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType
    path: str = job._j_job_client.stopWithSavepoint(False, folder.as_uri(), formats.DEFAULT).get()
    return path


class World:
    """Sends bins minute by minute, each host's from a shard and so a partition of its own, and reads alerts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer({**settings.kafka_client, "acks": "all"})
        self.minute = 0

    def send(self, *minutes: dict[str, int]) -> int:
        """The value of each host that has one; hosts are `0` and `1`. Returns the number of the first minute."""
        first = self.minute
        for values in minutes:
            start = START + self.minute * MINUTE_MS
            self.minute += 1
            for shard in (0, 1):
                bins: list[Message] = []
                if str(shard) in values:
                    bins.append(Bin("load", {"host": str(shard)}, MINUTE_MS, start, values[str(shard)], 1, 1))
                progress = Progress(shard, 2, MINUTE_MS, start + MINUTE_MS, "points")
                name = self._settings.topics.series.name
                self._producer.produce(name, series.encode([*bins, progress]), str(shard), partition=shard)
        assert self._producer.flush(START_SECONDS) == 0
        return first

    def send_until(self, told: str, *minutes: dict[str, int]) -> None:
        """Sends the minutes, again if need be, until a rule says something and all that it says is over: rules come
        by a way of their own, and nothing tells when they are in force."""
        for _ in range(20):
            self.send(*minutes)
            if comes(lambda: any(rule == told for rule, *_ in self.said()), TRY_SECONDS):
                break
        wait_until(lambda: self._is_over(told))

    def _is_over(self, told: str) -> bool:
        said = [status for rule, _, status, _ in self.said() if rule == told]
        return said.count("firing") == said.count("resolved") > 0

    def said(self, since: int = 0) -> list[Said]:
        """Rule, host, status and minute of each change from that minute on."""
        found = []
        for alert in alerts(self._settings):
            at = alert.starts_at if alert.ends_at is None else alert.ends_at
            found.append((alert.rule, alert.labels.get("host", ""), alert.status, (at - START) // MINUTE_MS))
        return sorted(one for one in found if one[3] >= since)

    def wait_for(self, wanted: list[Said], since: int) -> None:
        """Exactly these changes come."""
        comes(lambda: len(self.said(since)) >= len(wanted), TRY_SECONDS * 10)
        assert self.said(since) == sorted(wanted)


def test_alerts_of_one_series_and_of_several_and_rules_that_change(environments: Environments, own: Settings) -> None:
    world = World(own)
    put_in_force(own, RULES % 10)
    with running(environments, own):
        world.send_until("each", {"0": 12, "1": 1}, {"0": 1, "1": 1})
        first = world.send({"0": 12, "1": 1}, {"0": 9, "1": 9}, {"0": 1, "1": 1})
        wanted = [
            ("each", "0", "firing", first),
            ("each", "0", "resolved", first + 1),
            ("together", "", "firing", first + 1),
            ("together", "", "resolved", first + 2),
        ]
        world.wait_for(wanted, first)
        silent = world.send({"0": 1}, {"0": 1}, {"0": 1, "1": 1})
        world.wait_for([("silent", "1", "firing", silent), ("silent", "1", "resolved", silent + 2)], silent)
        put_in_force(own, RULES % 4)
        world.send_until("each", {"0": 5, "1": 1}, {"0": 1, "1": 1})
    assert len({alert.message_id for alert in alerts(own)}) == len(alerts(own))


def test_a_job_that_goes_on_from_a_savepoint_resolves_what_it_had_fired(
    environments: Environments, own: Settings, tmp_path: Path
) -> None:
    world = World(own)
    put_in_force(own, RULES % 10)
    with running(environments, own) as job:
        world.send_until("each", {"0": 12, "1": 1}, {"0": 1, "1": 1})
        first = world.send({"0": 12, "1": 12})
        wanted = [(rule, host, "firing", first) for rule, host in [("each", "0"), ("each", "1"), ("together", "")]]
        world.wait_for(wanted, first)
        savepoint = stop(job, tmp_path)
    world.send({"0": 12, "1": 12}, {"0": 1, "1": 1})
    with running(environments, own, savepoint):
        over = [(rule, host, "resolved", first + 2) for rule, host, *_ in wanted]
        world.wait_for([*wanted, *over], first)
    assert len({alert.id for alert in alerts(own)}) * 2 == len(alerts(own))
