"""Each embedded part comes up, answers, survives SIGKILL and leaves nothing behind."""

import os
import uuid

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource  # where it comes from: the package does not list it

from contracts.settings import Settings
from infra import topics as kafka_topics
from infra.embedded.child import end_group
from stores import clickhouse as store
from tests.conftest import START_SECONDS, RealPart
from tests.flink.polling import wait_until


def test_topics_are_created_once_and_told_apart(settings: Settings, topics: dict[str, str]) -> None:
    assert set(topics) == {topic.name for _, topic in settings.topics}
    assert all(uuid.UUID(identity).int for identity in topics.values())
    assert kafka_topics.ensure(settings, START_SECONDS) == topics
    assert kafka_topics.topic_ids(settings) == topics


def test_a_topic_with_other_partitions_is_named(settings: Settings, topics: dict[str, str]) -> None:
    wanted = settings.topics.user_tags.model_copy(update={"partitions": 7})
    wider = settings.model_copy(update={"topics": settings.topics.model_copy(update={"user_tags": wanted})})
    with pytest.raises(
        kafka_topics.TopicError, match=f"user-tags has {settings.topics.user_tags.partitions} partitions"
    ):
        kafka_topics.ensure(wider, START_SECONDS)


def test_the_log_of_series_is_bounded_and_that_of_events_is_not(settings: Settings, topics: dict[str, str]) -> None:
    wanted = {"user-tags": "-1", "series": str(settings.kafka.series_bytes // settings.topics.series.partitions)}
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    admin = AdminClient({**settings.kafka_client})  # one that nobody holds ends before it has answered
    answers = admin.describe_configs(asked)
    found = {resource.name: answer.result()["retention.bytes"].value for resource, answer in answers.items()}
    assert found == wanted


def test_kafka_keeps_its_topics_through_sigkill(settings: Settings, broker: RealPart, topics: dict[str, str]) -> None:
    broker.kill()
    assert broker.part.ready() is not None
    broker.start()
    assert kafka_topics.ensure(settings, START_SECONDS) == topics


def test_clickhouse_keeps_rows_through_sigkill(settings: Settings, clickhouse: RealPart) -> None:
    with store.connect(settings) as client:
        client.command("CREATE TABLE survivors (n Int32) ENGINE = MergeTree ORDER BY n")
        client.insert("survivors", [[1], [2]], column_names=["n"])
    clickhouse.kill()
    clickhouse.start()
    with store.connect(settings, reader=True) as client:
        assert client.query("SELECT sum(n) FROM survivors").result_rows == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO user_tags (cookie) VALUES ('x')",
        "DROP TABLE user_tags",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int32')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM system.query_log",
        "SELECT 1 SETTINGS max_memory_usage = 100000000000",
    ],
)
def test_the_reader_only_reads(settings: Settings, clickhouse: RealPart, statement: str) -> None:
    with store.connect(settings, reader=True) as client, pytest.raises(Exception, match="Code: (60|164|497|452)"):
        client.query(statement)


def test_clickhouse_secrets_are_the_owners_alone(settings: Settings, clickhouse: RealPart) -> None:
    users = settings.state_path / "clickhouse" / "conf" / "users.xml"
    assert users.stat().st_mode & 0o777 == 0o600
    assert settings.clickhouse.password.get_secret_value() not in users.read_text().replace("<tidewatch>", "").replace(
        "</tidewatch>", ""
    ).replace("`tidewatch`", "")


def test_flink_takes_its_taskmanager_back(settings: Settings, flink: RealPart) -> None:
    group = flink.child.pid
    flink.kill()
    assert not [process for process in psutil.process_iter() if _group(process.pid) == group]
    flink.start()
    wait_until(lambda: flink.part.ready() is None)  # a look that takes two seconds says no


def test_a_group_that_is_gone_is_no_error() -> None:
    assert not end_group(2**22 - 1)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
