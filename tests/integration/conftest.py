"""What several files of this folder share on the real parts."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from contracts.names import EVENT_TIME_HEADER, MIGRATIONS_TABLE
from contracts.settings import Settings
from contracts.settings_source import load
from infra import topics as kafka_topics
from stores import clickhouse as sessions
from stores import migrations
from tests.conftest import RealPart
from tests.integration.alert_service import AlertService, MakeService, routes_to
from tests.integration.archive_world import World, fill
from tests.unit.http_receiver import HttpReceiver, http_receiver

TABLES = """
    SELECT name FROM system.tables
    WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name != {kept:String}"""


@pytest.fixture(scope="session")
def tools_database(settings: Settings, clickhouse: RealPart) -> str:
    """The name of a database with all tables, for those who need theirs to hold nothing else."""
    own = settings.clickhouse.model_copy(update={"database": "tools"})
    migrations.apply(settings.model_copy(update={"clickhouse": own}))
    return own.database


@pytest.fixture
def world(tools_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An archive of tags and what was counted from it, alone in its database; commands find it by their settings."""
    monkeypatch.setenv("TIDEWATCH_CLICKHOUSE__DATABASE", tools_database)
    monkeypatch.setenv("TIDEWATCH_PROFILES__PATH", str(tmp_path / "profiles"))
    own = load()
    with sessions.connect(own) as client:
        for (table,) in client.query(TABLES, {"kept": MIGRATIONS_TABLE}).result_rows:
            client.command(f"TRUNCATE TABLE {table}")
    return fill(own)


@pytest.fixture
def log(world: World, broker: RealPart, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The world's settings with a topic of its own that holds its logs, from offset 0 on."""
    monkeypatch.setenv("TIDEWATCH_TOPICS__USER_TAGS__NAME", f"tools-{uuid4().hex[:8]}")
    own = load()
    kafka_topics.ensure(own, 60)
    producer = Producer(own.kafka_client)
    for partition, records in enumerate(world.logs):
        for record in [*records, records[0]._replace(payload=b"no tag\n"), records[0]._replace(payload=b"")]:
            producer.produce(
                own.topics.user_tags.name,
                record.payload,
                partition=partition,
                timestamp=record.ingested,
                headers={EVENT_TIME_HEADER: str(record.event_time)},
            )
    assert producer.flush(60) == 0
    return own


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """An HTTP server that remembers what it was sent."""
    with http_receiver() as server:
        yield server


@pytest.fixture
def make_service(settings: Settings, broker: RealPart, tmp_path: Path, receiver: HttpReceiver) -> Iterator[MakeService]:
    """Makes alert services with a topic and a store of their own, started; killed after the test."""
    made: list[AlertService] = []

    def one(**changes: str) -> AlertService:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        service = AlertService(settings, folder, routes_to(receiver), **changes)
        made.append(service)
        service.start()
        return service

    yield one
    for service in made:
        service.kill()
