"""The log is trimmed while a job reads it: what it goes on from stays, and older restore points are refused."""

import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from cli.deploy import Options, deploy
from cli.job_start import DeployError
from cli.keep_log import KeepLog
from contracts import names
from contracts.settings import Settings
from infra import log_size, log_start
from infra import topics as kafka_topics
from infra.flink.rest import until
from infra.flink.restore import local_folder
from infra.flink_cluster import FlinkCluster
from tests.conftest import RealPart
from tests.integration.deploying import SECONDS, Sender, cancel, expect_counted, topics_named

SEGMENT = 1_048_576  # the smallest file that Kafka takes
BLANK = b" " * 100_000 + b"\n"  # a line without an event


@pytest.fixture
def own(
    settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, tmp_path: Path
) -> Iterator[Settings]:
    """A log that is to stay within two files a partition; the job is gone afterwards."""
    topics = topics_named(f"trimmed-{uuid.uuid4().hex[:6]}")
    kafka = settings.kafka.model_copy(update={"log_bytes": 4 * SEGMENT})
    own = settings.model_copy(update={"topics": topics, "state_dir": tmp_path, "kafka": kafka})
    tags = NewTopic(topics.user_tags.name, 2, 1, config={"segment.bytes": str(SEGMENT), "retention.ms": "-1"})
    admin = AdminClient({**settings.kafka_client})  # one that nobody holds ends before it has answered
    for made in admin.create_topics([tags]).values():
        made.result(SECONDS)
    kafka_topics.ensure(own, SECONDS)
    yield own
    cancel(FlinkCluster(own))


def fill(settings: Settings, records: int) -> None:
    producer = Producer({**settings.kafka_client})
    for number in range(records):
        producer.produce(settings.topics.user_tags.name, BLANK, partition=number % 2, timestamp=1)
    assert producer.flush(SECONDS) == 0


def begins(settings: Settings) -> list[int]:
    return [begin for begin, _ in log_start.bounds(settings, settings.topics.user_tags.name).values()]


def test_a_log_is_trimmed_below_what_any_restore_reads(own: Settings, tmp_path: Path) -> None:
    cluster, keep = FlinkCluster(own), KeepLog(own)
    sender = Sender(own)
    with sender:
        deploy(own, Options(), print)
        old = cluster.newest_restore_point(names.DATA_JOB)
        assert old is not None
        saved = tmp_path / "saved"
        folder = local_folder(old)
        assert folder is not None
        shutil.copytree(folder, saved)
        keep()
        fill(own, 200)
        assert begins(own) == [0, 0]

        def trimmed() -> bool | None:
            keep()
            return all(begins(own)) or None

        until(trimmed, SECONDS, "the trimming of both partitions", every=1.0)
        committed = log_start.committed(own, own.topics.user_tags.name, names.DATA_PIPELINES)
        assert all(begin <= committed[partition] for partition, begin in enumerate(begins(own)))

        # A copy of one from before is refused, and nothing is stopped for it; what runs goes on from its savepoint.
        running = cluster.running(names.DATA_JOB)
        with pytest.raises(DeployError, match=r"how far .*/saved had read of .* is not known(.|\n)*--force"):
            deploy(own, Options(restore=str(saved)), print)
        assert cluster.running(names.DATA_JOB) == running
        assert deploy(own, Options(force=True), print) != running
    expect_counted(own, sender.sent)

    def small() -> bool | None:
        keep()
        logs = log_size.describe(own, own.topics.user_tags.name).values()
        return all(log.size <= 3 * SEGMENT for log in logs) or None

    until(small, SECONDS, "a log within its bound and one file", every=1.0)


def test_a_job_that_stands_still_holds_the_log(own: Settings) -> None:
    cluster, keep = FlinkCluster(own), KeepLog(own)
    deploy(own, Options(), print)
    cancel(cluster)
    fill(own, 200)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        keep()
    assert all(begin <= 1 for begin in begins(own))
    sender = Sender(own)
    with sender:
        deploy(own, Options(), print)
    expect_counted(own, sender.sent)
