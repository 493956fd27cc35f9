"""What docker-compose.yml runs, run here without containers: Flink's nodes, ClickHouse with the users of the set-up."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.exceptions import DatabaseError

from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.settings_source import load
from infra.embedded.child import end_group
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.java import classpath, java
from infra.flink.rest import FlinkError, until
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as store
from stores import migrations
from tests.conftest import RealPart, free_ports, make_settings
from tests.integration.test_flink_cluster import counts, make_code

DEPLOY = Path(__file__).resolve().parents[2] / "infra" / "deploy"
SECONDS = 240.0  # a machine under load takes a minute for one start
REFUSED = ["DROP TABLE user_tags", "SELECT 1 SETTINGS max_execution_time = 60", "SELECT * FROM system.query_log"]


def load_from(folder: Path, other: dict[str, Any]) -> Settings:
    """Settings for tests with some that are other, by way of the file `settings.yaml` in the folder."""
    values: dict[str, Any] = make_settings(folder / "state")
    for name, value in other.items():
        values[name] = {**values[name], **value} if isinstance(value, dict) else value
    (folder / "settings.yaml").write_text(yaml.safe_dump(values))
    return load(folder / "settings.yaml")


class DeployedClickHouse(ClickHouse):
    """The embedded server with the users of the compose set-up; `default` stays, because its process asks as that."""

    def prepare(self) -> None:
        super().prepare()
        folder = self._folder / "conf" / "users.d"
        folder.mkdir(exist_ok=True)
        users = (DEPLOY / "clickhouse" / "users.xml").read_text()
        removal = '<default remove="remove"/>'
        assert removal in users
        (folder / "tidewatch.xml").write_text(users.replace(removal, ""))

    def environment(self) -> dict[str, str]:
        return {"TIDEWATCH_CLICKHOUSE__PASSWORD": "owner's", "TIDEWATCH_CLICKHOUSE__READER_PASSWORD": "reader's"}


def test_clickhouse_takes_the_users_of_the_set_up(tmp_path: Path) -> None:
    embedded = load_from(
        tmp_path, {"clickhouse": {"user": "nobody", "reader": "nobody-else"}}
    )  # written by the part itself
    passwords = {"password": "owner's", "reader_password": "reader's"}
    settings = load_from(tmp_path, {"clickhouse": {"port": embedded.clickhouse.port, **passwords}})
    server = RealPart(DeployedClickHouse(embedded))
    try:
        assert migrations.apply(settings)
        with pytest.raises(DatabaseError, match="Authentication failed"):
            store.connect(load_from(tmp_path, {"clickhouse": {"port": embedded.clickhouse.port}}))
        with store.connect(settings, reader=True) as reader:
            assert reader.query("SELECT count() FROM user_tags").result_rows == [(0,)]
            for refused in REFUSED:
                with pytest.raises(DatabaseError, match="Code: (60|164|452|497)"):
                    reader.query(refused)
    finally:
        server.stop()


class Node:
    """`python -m infra.flink.node NAME`, as a container runs it."""

    def __init__(self, name: str, config: Path) -> None:
        environment = {**os.environ, CONFIG_VARIABLE: str(config)}
        with (config.parent / f"{name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own module
                [sys.executable, "-m", "infra.flink.node", name],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        end_group(self.process.pid)
        self.process.wait()


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[str]:
    """The server inside Flink's distribution; its address."""
    (port,) = free_ports(1)
    config = tmp_path / "zoo.cfg"
    config.write_text(
        f"tickTime=500\ndataDir={tmp_path / 'zookeeper'}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
        "admin.enableServer=false\nserver.1=127.0.0.1\n"
    )
    settings = load_from(tmp_path, {})
    command = [java(), "-Xmx128m", "-cp", classpath(settings, "flink")]
    quorum = "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer"
    with (tmp_path / "zookeeper.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # Flink's own program
            [*command, quorum, "--zkConfigFile", str(config), "--peerId", "1"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield f"127.0.0.1:{port}"
    end_group(process.pid)
    process.wait()


@pytest.fixture
def outside(tmp_path: Path, zookeeper: str) -> Settings:
    """Settings of a cluster that is not embedded, with high availability as in the compose set-up."""
    options = yaml.safe_load((DEPLOY / "settings.yaml").read_text())["flink"]["options"]
    options["high-availability.zookeeper.quorum"] = zookeeper
    options["high-availability.storageDir"] = (tmp_path / "ha").as_uri()
    options["high-availability.zookeeper.client.session-timeout"] = "6 s"
    return load_from(tmp_path, {"embedded": [], "flink": {"host": "127.0.0.1", "options": options, "slots": 2}})


def slots(cluster: FlinkCluster) -> int | None:
    try:
        return cluster.overview()["slots-total"] or None
    except FlinkError:
        return None


def running(cluster: FlinkCluster, job: str) -> bool | None:
    try:
        return cluster.metrics(job, time.time()).checkpoints > 0 or None
    except FlinkError:
        return None


def test_a_cluster_of_nodes_takes_its_job_up_again(tmp_path: Path, outside: Settings) -> None:
    cluster = FlinkCluster(outside)
    config = tmp_path / "settings.yaml"
    nodes = [Node("jobmanager", config), Node("taskmanager", config)]
    output = tmp_path / "counts.txt"
    output.touch()
    try:
        assert until(lambda: slots(cluster), SECONDS, "the cluster's slots") == 2
        code = make_code(tmp_path / "code", "v1")
        job = cluster.submit("count", "jobs.count", [str(output)], code=code, timeout=SECONDS)
        cluster.wait_healthy(job, SECONDS)

        nodes[0].kill()
        nodes[0] = Node("jobmanager", config)
        until(lambda: running(cluster, job), SECONDS, "the job's return with the JobManager")  # nobody submitted it
        before = len(counts(output))
        until(lambda: len(counts(output)) > before + 50 or None, SECONDS, "counts after that")
        cluster.cancel(job, SECONDS)
    finally:
        for node in nodes:
            node.kill()


def test_a_node_says_what_it_wants() -> None:
    for arguments in [], ["worker"]:
        done = subprocess.run(  # noqa: S603  # our own module
            [sys.executable, "-m", "infra.flink.node", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "usage: " in done.stderr
