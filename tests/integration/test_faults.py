"""What is not a kill: a full disk, damaged files, a port that somebody else took. Each is named, nothing is lost, and
the platform goes on by itself or says what to do.
"""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.settings_source import load
from infra import log_start
from infra import topics as kafka_topics
from infra.embedded.kafka import Kafka
from infra.embedded.part import Part
from infra.embedded.watched import Watched
from tests.conftest import make_settings
from tests.integration.api_server import Answer, ApiServer
from tests.integration.tag_log import read_log, tag_line, tags_in

PATIENCE = 240.0
DELIVERY_SECONDS = 8.0  # of the API with the broker
SMALL_DISK = 200 * 2**20
SLACK = 4 * 2**20


class Watcher:
    """A part as the supervisor keeps it: started again when it died."""

    def __init__(self, part: Part) -> None:
        self.watched = Watched(part)

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, (what, self.watched.reason)
            self.watched.tick(None, time.monotonic())
            time.sleep(0.1)

    def until_ready(self) -> None:
        self.until(lambda: self.watched.child is not None and self.watched.part.ready() is None, "not ready")

    def stop(self) -> None:
        if self.watched.child is not None:
            self.watched.child.stop(20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, and small."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(  # noqa: S603  # our own arguments
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)],  # noqa: S607  # wherever it is
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607  # as above


@pytest.fixture
def small(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a stack on the small disk."""
    config = disk.parent / "small.yaml"
    config.write_text(yaml.safe_dump(make_settings(disk)))
    monkeypatch.setenv(CONFIG_VARIABLE, str(config))
    return load()


@pytest.fixture
def watcher(small: Settings) -> Iterator[Watcher]:
    """Its broker, with the topics."""
    watcher = Watcher(Kafka(small))
    watcher.until_ready()
    kafka_topics.ensure(small, PATIENCE)
    yield watcher
    watcher.stop()


@pytest.fixture
def api(small: Settings, watcher: Watcher) -> Iterator[ApiServer]:
    server = ApiServer(small, TIDEWATCH_API__DELIVERY_TIMEOUT_SECONDS=str(DELIVERY_SECONDS))
    yield server
    server.stop()


def fill(folder: Path, share: float) -> None:
    """With a file, until this share of the disk is used."""
    status = os.statvfs(folder)
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    wanted = int(share * status.f_blocks * status.f_frsize) - used
    try:
        with open(folder / "ballast", "wb") as file:
            for _ in range(wanted // 65_536 + 1):
                file.write(bytes(65_536))
    except OSError:
        assert share == 1.0


def send(api: ApiServer, number: int) -> int:
    return api.call("POST", "/user_tags", tag_line(number)).status


def test_the_collector_stops_before_the_disk_is_full_and_goes_on_by_itself(
    small: Settings, disk: Path, watcher: Watcher, api: ApiServer
) -> None:
    assert send(api, 0) == 204
    fill(disk, 0.85)
    refused: list[Answer] = []

    def for_the_disk() -> bool:
        refused.append(api.call("POST", "/user_tags", tag_line(1)))
        return b"disk-nearly-full" in refused[-1].body

    watcher.until(for_the_disk, "tags are still taken")
    assert (refused[-1].status, refused[-1].json["type"]) == (503, "urn:tidewatch:problem:disk-nearly-full")
    assert refused[-1].seconds < DELIVERY_SECONDS / 2  # at once, without asking the broker
    assert api.call("GET", "/readyz").json["broken"].count("disk") == 1
    (disk / "ballast").unlink()
    watcher.until(lambda: send(api, 2) == 204, "tags are still refused")


def test_a_full_disk_loses_nothing(small: Settings, disk: Path, watcher: Watcher, api: ApiServer) -> None:
    """The broker meets the end of the disk with its own writes; what it acknowledged before and after is there."""
    acknowledged = [number for number in range(50) if send(api, number) == 204]
    assert len(acknowledged) == 50
    fill(disk, 1.0)
    producer = Producer({**small.kafka_client, "message.timeout.ms": 5000, "log_level": 0})
    failures: list[object] = []
    for _ in range(20):  # until Kafka meets it
        producer.produce(small.topics.series.name, bytes(900_000), on_delivery=lambda error, _: failures.append(error))
        producer.flush(20)
        if failures and failures[-1] is not None:
            break
    assert failures[-1] is not None, "the disk was not full"
    assert send(api, 100) == 503
    (disk / "ballast").unlink()
    watcher.until_ready()
    watcher.until(lambda: send(api, 200) == 204, "tags are still refused")
    written = {tag.product_info.product_id for tag in tags_in(read_log(small))}
    assert {*acknowledged, 200} <= written


def test_a_broker_whose_identity_was_damaged_keeps_its_log(small: Settings, watcher: Watcher, api: ApiServer) -> None:
    assert send(api, 0) == 204
    before = log_start.bounds(small, small.topics.user_tags.name)
    watcher.stop()
    (small.state_path / "kafka" / "data" / "meta.properties").write_text("garbage\n")
    watcher.until_ready()

    def same_log() -> bool:
        try:
            now = log_start.bounds(small, small.topics.user_tags.name)
        except log_start.LogError:
            return False
        return all(now[place][1] >= end for place, (_, end) in before.items())

    watcher.until(same_log, "the log is not there")
    assert len(tags_in(read_log(small))) == 1


def test_a_port_that_somebody_took_is_named_until_it_is_free(small: Settings, watcher: Watcher) -> None:
    watcher.stop()
    with socket.create_server((small.host, small.kafka.port)):
        watcher.until(lambda: "is taken by" in (watcher.watched.reason or ""), "the port is not named")
        reason = watcher.watched.reason or ""
        assert f"port {small.kafka.port} (kafka.port) is taken by pid {os.getpid()}" in reason
        assert "TIDEWATCH_KAFKA__PORT" in reason
    watcher.until_ready()
