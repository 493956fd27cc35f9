"""What is derived gets lost while traffic goes on, and is made anew; a topic that was deleted is begun anew."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient

from cli import audit, rebuild
from contracts.names import DATA_JOB
from contracts.settings import CONFIG_VARIABLE, Settings
from infra import topics as kafka_topics
from infra.embedded import instance
from infra.flink_cluster import FlinkCluster, FlinkError
from stores import clickhouse
from testbed.generator import START_MS, Traffic
from testbed.queries import MINUTE_MS, AggregateQuery
from tests.e2e.test_streams import COUNTS, DAY_MS
from tests.e2e.world import PATIENCE, World, questions, wait_until

BATCH = 50  # tags a call


@pytest.fixture
def commands(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tidewatch …` finds the running stack."""
    monkeypatch.setenv(CONFIG_VARIABLE, str(instance.settings_file(stack)))


@contextmanager
def sending(world: World, traffic: Traffic) -> Iterator[list[int]]:
    """Tags flow meanwhile; the value grows with each call that was answered."""
    stop, sent = threading.Event(), [0]

    def send() -> None:
        while not stop.wait(0.1):
            world.post_bulk([traffic.tag(index) for index in range(sent[0], sent[0] + BATCH)])
            sent[0] += BATCH

    thread = threading.Thread(target=send)
    thread.start()
    try:
        wait_until(lambda: None if sent[0] >= 10 * BATCH else "no traffic")
        yield sent
    finally:
        stop.set()
        thread.join()


def agree(world: World, traffic: Traffic, sent: int) -> None:
    """A sample of the profiles and every minute, whatever was lost."""
    tags = [traffic.tag(index) for index in range(0, sent, max(1, sent // 20))]
    first, last = traffic.start_ms // MINUTE_MS, (traffic.start_ms + sent * traffic.step_ms) // MINUTE_MS
    minutes = [AggregateQuery(first * MINUTE_MS, (last + 1) * MINUTE_MS, action, COUNTS) for action in ("VIEW", "BUY")]
    world.agree([*minutes, *questions(tags)])


def execute(stack: Settings, statement: str) -> None:
    with clickhouse.connect(stack) as client:
        client.command(statement)


def running(cluster: FlinkCluster) -> str | None:
    try:
        return cluster.running(DATA_JOB)
    except FlinkError:  # it takes long to answer
        return None


def run_rebuild(*what: str) -> str:
    result = CliRunner().invoke(rebuild.command, [*what, "--wait", str(PATIENCE)])
    assert result.exit_code == 0, result.output
    return result.output


def run_audit() -> None:
    result = CliRunner().invoke(audit.command, ["--wait", str(PATIENCE)])
    assert result.exit_code == 0, result.output


def test_emptied_aggregates_are_counted_anew(stack: Settings, world: World, commands: None) -> None:
    traffic = Traffic(31, START_MS + 71 * DAY_MS + 50_000, step_ms=20)
    with sending(world, traffic) as sent:
        execute(stack, "TRUNCATE TABLE aggregates_1m")
        run_rebuild("aggregates")
    agree(world, traffic, sent[0])
    run_audit()


def test_a_deleted_profile_store_is_filled_anew(stack: Settings, world: World, commands: None) -> None:
    traffic = Traffic(32, START_MS + 72 * DAY_MS + 50_000, step_ms=20)
    with sending(world, traffic) as sent:
        stack.profiles_path.rename(stack.profiles_path.with_suffix(".old"))
        run_rebuild("profiles")
    agree(world, traffic, sent[0])


def test_an_emptied_archive_is_filled_from_the_log(stack: Settings, world: World, commands: None) -> None:
    traffic = Traffic(33, START_MS + 73 * DAY_MS + 50_000, step_ms=20)
    with sending(world, traffic) as sent:
        execute(stack, "TRUNCATE TABLE user_tags")
        told = run_rebuild("archive")
        assert "from offset 0 on, which came in since" in told
    agree(world, traffic, sent[0])
    run_audit()


def test_a_deleted_topic_is_made_and_read_anew(stack: Settings, world: World) -> None:
    """What was counted stays; what comes then is counted as well."""
    before, after = (Traffic(seed, START_MS + seed * DAY_MS + 50_000, step_ms=20) for seed in (74, 75))
    world.post_bulk([before.tag(index) for index in range(500)])
    agree(world, before, 500)
    name, cluster = stack.topics.user_tags.name, FlinkCluster(stack)
    old, job = kafka_topics.topic_ids(stack)[name], cluster.running(DATA_JOB)
    admin = AdminClient({**stack.kafka_client})  # kept: one that is collected meanwhile takes its calls along
    for deleted in admin.delete_topics([name]).values():
        deleted.result(PATIENCE)
    wait_until(lambda: "no new topic" if kafka_topics.topic_ids(stack).get(name, old) == old else None)
    wait_until(lambda: "the old job runs" if running(cluster) in (None, job) else None)
    tags = [after.tag(index) for index in range(500)]
    wait_until(lambda: None if world.call("GET", "/readyz").status == 200 else "the API is not ready")
    world.post_bulk(tags)
    agree(world, after, 500)
    agree(world, before, 500)
