"""The log is trimmed while a job reads it: what it goes on from stays, and older restore points are refused.

The tests share the job, because each start of it takes many seconds, and so does each of its workers: it has one.
"""

import shutil
import time
import uuid
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from cli.deploy import Options, deploy
from cli.job_start import DeployError
from cli.keep_log import KeepLog
from contracts import names
from contracts.point_codec import encode_points
from contracts.points import Point, series_of
from contracts.settings import Settings, Topic
from infra import log_start
from infra import topics as kafka_topics
from infra.flink.rest import until
from infra.flink.restore import local_folder
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as store
from tests.conftest import RealPart
from tests.integration.deploying import SECONDS, Sender, cancel, expect_counted, quick, topics_named

SEGMENT = 1_048_576  # the smallest file that Kafka takes
BLANK = b" " * 100_000 + b"\n"  # a line without an event


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trimmed")


@pytest.fixture(scope="module")
def own(
    settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, folder: Path
) -> Iterator[Settings]:
    """Logs that are to stay within two files a partition; the job is gone afterwards."""
    prefix = f"trimmed-{uuid.uuid4().hex[:6]}"
    points = Topic(name=f"{prefix}-points", partitions=2)
    topics = topics_named(prefix).model_copy(update={"points": points})
    kafka = settings.kafka.model_copy(update={"log_bytes": 4 * SEGMENT, "points_bytes": 4 * SEGMENT})
    own = quick(settings.model_copy(update={"topics": topics, "state_dir": folder, "kafka": kafka}))
    config = {"segment.bytes": str(SEGMENT), "retention.ms": "-1"}
    bounded = [NewTopic(topic.name, 2, 1, config=config) for topic in (topics.user_tags, points)]
    admin = AdminClient({**settings.kafka_client})  # one that nobody holds ends before it has answered
    for made in admin.create_topics(bounded).values():
        made.result(SECONDS)
    kafka_topics.ensure(own, SECONDS)
    yield own
    cancel(FlinkCluster(own))


@pytest.fixture(scope="module")
def sender(own: Settings) -> Sender:
    return Sender(own)


def fill(settings: Settings, topic: Topic, records: int) -> dict[int, int]:
    """Writes blank records, which end the blocks before them; by partition, the offset after the last of them."""
    ends: dict[int, int] = {}

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None
        ends[message.partition() or 0] = (message.offset() or 0) + 1

    producer = Producer({**settings.kafka_client})
    for number in range(records):
        producer.produce(topic.name, BLANK, partition=number % 2, timestamp=1, on_delivery=delivered)
    assert producer.flush(SECONDS) == 0
    return ends


def begins(settings: Settings, topic: Topic) -> list[int]:
    return [begin for begin, _ in log_start.bounds(settings, topic.name).values()]


def test_the_log_of_points_is_trimmed(own: Settings) -> None:
    """The first, as what former submissions left would hold this log: nobody looked before how far they had read."""
    keep, topic = KeepLog(own), own.topics.points
    producer = Producer({**own.kafka_client, "acks": "all"})
    series = series_of("trimmed", "gauge", {})
    numbers = count()

    def trimmed() -> bool | None:
        """Sends a point to each partition meanwhile, and what ends its block, as else the end of the minute does."""
        now = int(time.time() * 1000)
        value = encode_points([Point(series, now, float(next(numbers)))])
        for partition in range(2):
            producer.produce(topic.name, value, partition=partition)
        assert producer.flush(SECONDS) == 0
        fill(own, topic, 2)
        keep()
        return all(begins(own, topic)) or None

    deploy(own, Options(), print)
    trimmed()
    fill(own, topic, 200)
    until(trimmed, SECONDS, "the trimming of both partitions of points", every=0.5)
    sent = 2 * next(numbers)
    topic_id = kafka_topics.topic_ids(own)[topic.name]

    def archived() -> bool | None:
        with store.connect(own) as client:
            found = client.query("SELECT count() FROM points FINAL WHERE topic_id = {id:UUID}", {"id": topic_id})
        return found.result_rows == [(sent,)] or None

    until(archived, SECONDS, "the archive of all points")


def test_a_log_is_trimmed_below_what_any_restore_reads(own: Settings, sender: Sender, tmp_path: Path) -> None:
    cluster, keep = FlinkCluster(own), KeepLog(own)
    with sender:
        deploy(own, Options(), print)
        old = cluster.newest_restore_point(names.DATA_JOB)
        assert old is not None
        saved = tmp_path / "saved"
        folder = local_folder(old)
        assert folder is not None
        shutil.copytree(folder, saved)
        keep()
        filled = fill(own, own.topics.user_tags, 200)
        assert begins(own, own.topics.user_tags) == [0, 0]

        def trimmed() -> bool | None:
            keep()
            return all(begins(own, own.topics.user_tags)) or None

        until(trimmed, SECONDS, "the trimming of both partitions", every=1.0)
        committed = log_start.committed(own, own.topics.user_tags.name, names.DATA_PIPELINES)
        assert all(begin <= committed[partition] for partition, begin in enumerate(begins(own, own.topics.user_tags)))

        # A copy of one from before is refused, and nothing is stopped for it; what runs goes on from its savepoint.
        running = cluster.running(names.DATA_JOB)
        with pytest.raises(DeployError, match=r"how far .*/saved had read of .* is not known(.|\n)*--force"):
            deploy(own, Options(restore=str(saved)), print)
        assert cluster.running(names.DATA_JOB) == running
        assert deploy(own, Options(force=True), print) != running

        # A day later the savepoint holds the log no more, and it comes back within its bound.
        fill(own, own.topics.user_tags, 2)
        later = KeepLog(own, lambda: time.time() + (own.flink.restore_hours + 1) * 3600)

        def small() -> bool | None:
            later()
            now = begins(own, own.topics.user_tags)
            return all(begin >= filled[partition] for partition, begin in enumerate(now)) or None

        until(small, SECONDS, "the trimming of all that made the log too large", every=1.0)
    expect_counted(own, sender.sent)


def test_a_job_that_stands_still_holds_the_log(own: Settings, sender: Sender) -> None:
    cluster, keep = FlinkCluster(own), KeepLog(own)
    deploy(own, Options(), print)
    cancel(cluster)
    read = [end for _, end in log_start.bounds(own, own.topics.user_tags.name).values()]
    fill(own, own.topics.user_tags, 200)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        keep()
    assert all(begin <= end for begin, end in zip(begins(own, own.topics.user_tags), read, strict=True))
    with sender:
        deploy(own, Options(), print)
    expect_counted(own, sender.sent)
