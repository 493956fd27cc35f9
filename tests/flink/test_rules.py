"""Rules in the pipeline `anomalies`: bins and rules from a real Kafka, alerts back to it, each once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration
from pyflink.common.job_client import JobClient
from pyflink.java_gateway import get_gateway

from contracts.settings import Settings
from infra import topics as kafka_topics
from jobs import anomalies
from jobs.flink import Source
from tests.conftest import START_SECONDS, RealPart
from tests.flink.alert_topics import alerts, put_in_force, with_topics
from tests.flink.conftest import Environments
from tests.flink.hosts import Hosts

CHECKPOINT_MS = 500
RULES = """
rules:
  - {name: each, kind: threshold, select: {metric: load}, above: %d}
  - {name: together, kind: threshold, select: {metric: load}, by: [], above: 15, quiet: zero}
  - {name: silent, kind: absent, select: {metric: load}, by: [host], for: 2m}
"""


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


def test_alerts_of_one_series_and_of_several_and_rules_that_change(environments: Environments, own: Settings) -> None:
    hosts = Hosts(own)
    put_in_force(own, RULES % 10)
    with running(environments, own):
        hosts.send_until("each", {"0": 12, "1": 1}, {"0": 1, "1": 1})
        first = hosts.send({"0": 12, "1": 1}, {"0": 9, "1": 9}, {"0": 1, "1": 1})
        wanted = [
            ("each", "0", "firing", first),
            ("each", "0", "resolved", first + 1),
            ("together", "", "firing", first + 1),
            ("together", "", "resolved", first + 2),
        ]
        hosts.wait_for(wanted, first)
        silent = hosts.send({"0": 1}, {"0": 1}, {"0": 1, "1": 1})
        hosts.wait_for([("silent", "1", "firing", silent), ("silent", "1", "resolved", silent + 2)], silent)
        put_in_force(own, RULES % 4)
        hosts.send_until("each", {"0": 5, "1": 1}, {"0": 1, "1": 1})
    told = alerts(own)  # once: a live topic
    assert len({alert.message_id for alert in told}) == len(told)


def test_a_job_that_goes_on_from_a_savepoint_resolves_what_it_had_fired(
    environments: Environments, own: Settings, tmp_path: Path
) -> None:
    hosts = Hosts(own)
    put_in_force(own, RULES % 10)
    with running(environments, own) as job:
        hosts.send_until("each", {"0": 12, "1": 1}, {"0": 1, "1": 1})
        first = hosts.send({"0": 12, "1": 12})
        wanted = [(rule, host, "firing", first) for rule, host in [("each", "0"), ("each", "1"), ("together", "")]]
        hosts.wait_for(wanted, first)
        savepoint = stop(job, tmp_path)
    hosts.send({"0": 12, "1": 12}, {"0": 1, "1": 1})
    with running(environments, own, savepoint):
        over = [(rule, host, "resolved", first + 2) for rule, host, *_ in wanted]
        hosts.wait_for([*wanted, *over], first)
    told = alerts(own)  # once: a live topic
    assert len({alert.id for alert in told}) * 2 == len(told)
