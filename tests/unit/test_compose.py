"""docker-compose.yml and the images' build file, as far as they can be judged without a container engine."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.settings import PREFIX, Settings
from contracts.settings_source import load
from infra.embedded.flink import cluster_options
from infra.embedded.kafka import Kafka
from infra.flink.node import NODES

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "infra" / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
ONE_SHOT = {"migrate", "deploy"}
STORE = "postgresql+psycopg://tidewatch:secret@postgres:5432/tidewatch"
PINNED = re.compile(r"^[\w./-]+:(\d+(\.\d+)+[\w.-]*|.+@sha256:[0-9a-f]{64})$")


def substituted(value: str) -> str:
    """The value as compose makes it when each variable without a default is `secret`."""
    return re.sub(r"\$\{\w+(:-([^}]*)|:\?[^}]*)\}", lambda match: match[2] or "secret", value)


def settings_of(service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As the service's container would load them."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    for variable, value in SERVICES[service].get("environment", {}).items():
        monkeypatch.setenv(variable, substituted(str(value)))
    return load(DEPLOY / "settings.yaml")


def test_every_image_is_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [words.split()[0] for name, words in INSTRUCTIONS if name == "FROM" and words.split()[0] != "api"]
    assert [image for image in images if not PINNED.match(image)] == []


@pytest.mark.parametrize("service", [name for name, one in SERVICES.items() if "build" in one])
def test_our_containers_load_the_settings(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(service, monkeypatch)
    assert settings.embedded == []
    assert settings.bootstrap_servers == "kafka:9092"
    assert {settings.clickhouse_host, settings.flink_host} <= set(SERVICES)
    if service in {"api", "alerts", *ONE_SHOT}:
        assert settings.alerts.store_url.get_secret_value() == STORE
        assert settings.profiles.redis_url.get_secret_value() == "redis://:secret@redis:6379/0"
        assert settings.clickhouse.password.get_secret_value() == "secret"
        assert [token.get_secret_value() for token in settings.api.tokens] == ["secret"]


def test_every_variable_of_ours_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that are only handed to other parts."""
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if variable.startswith(PREFIX):
                monkeypatch.setenv(variable, substituted(str(value)))
    load(DEPLOY / "settings.yaml")


def test_secrets_are_demanded_and_listed_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    demanded = set(re.findall(r"\$\{(\w+):\?", text))
    assert demanded == {
        "TIDEWATCH_CLICKHOUSE__PASSWORD",
        "TIDEWATCH_CLICKHOUSE__READER_PASSWORD",
        "REDIS_PASSWORD",
        "POSTGRES_PASSWORD",
        "API_TOKEN",
    }
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "example.env").read_text().splitlines() if not line.startswith("#")
    )
    assert set(re.findall(r"\$\{(\w+)", text)) == set(example)
    assert all(example[name] == "" for name in demanded)  # nobody's secret is the example's


def test_only_the_api_is_published_on_loopback() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    (published,) = SERVICES["api"]["ports"]
    first, last = re.findall(r"127\.0\.0\.1:(\d+)-(\d+):8080", substituted(published))[0]
    assert int(last) - int(first) + 1 == SERVICES["api"]["deploy"]["replicas"]


def test_each_service_says_when_it_is_healthy() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ONE_SHOT
    for service in SERVICES.values():
        for name, needed in service.get("depends_on", {}).items():
            finished = needed["condition"] == "service_completed_successfully"
            assert finished == (name in ONE_SHOT)


def test_every_volume_is_declared() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    named = {mount.split(":")[0] for mount in mounts if not mount.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    for mount in mounts:
        if mount.startswith("."):
            assert (ROOT / mount.split(":")[0]).is_file()


def test_restore_points_lie_where_all_of_flink_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("deploy", monkeypatch)
    places = [settings.checkpoint_dir, settings.savepoint_dir, settings.flink.options["high-availability.storageDir"]]
    assert all(place.startswith("file:///checkpoints/") for place in places)
    for service in ("jobmanager", "taskmanager", "deploy"):
        assert "checkpoints:/checkpoints" in SERVICES[service]["volumes"]
    assert f"deployments:{settings.state_path}" in SERVICES["deploy"]["volumes"]
    assert cluster_options(settings)["execution.checkpointing.dir"] == settings.checkpoint_dir


def test_build_files_and_what_they_copy_exist() -> None:
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert allowed[1] == "*"
    for service in SERVICES.values():
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()
            assert f"AS {service['build']['target']}\n" in DOCKERFILE
    sources = [words.split()[0] for name, words in INSTRUCTIONS if name == "COPY" and "--from" not in words]
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source.split('/')[0]}" in allowed


def test_commands_are_ours() -> None:
    for service in SERVICES.values():
        if "build" in service and "command" in service:
            python, option, module, *rest = shlex.split(service["command"])
            assert (python, option) == ("python", "-m")
            assert (ROOT / f"{module.replace('.', '/')}.py").exists() or (ROOT / module / "__main__.py").exists()
            if module == "cli":
                assert (ROOT / "cli" / f"{rest[0]}.py").exists()
            else:
                assert rest == [] or rest[0] in NODES


def test_versions_are_those_that_were_tested() -> None:
    """Flink's is that of the wheel, the connector's checksum that of the set-up."""
    (version,) = re.findall(r"^apache-flink==([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert f"FROM flink:{version}-" in DOCKERFILE
    assert f"flink-s3-fs-presto-{version}.jar" in DOCKERFILE
    (checksum,) = re.findall(r"--checksum=sha256:([0-9a-f]{64})", DOCKERFILE)
    (connector,) = re.findall(r"/(flink-sql-connector-kafka-[\w.-]+\.jar)", DOCKERFILE)
    assert f"{checksum}  flink/{connector}" in (ROOT / "infra" / "setup" / "jars.sha256").read_text().splitlines()


def test_the_broker_is_set_like_the_embedded_one() -> None:
    given = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    embedded = {name: str(value) for name, value in Kafka(load())._properties().items()}
    for name in (
        "auto.create.topics.enable",
        "compression.type",
        "log.retention.ms",
        "message.max.bytes",
        "replica.fetch.max.bytes",
        "transaction.max.timeout.ms",
    ):
        assert given[name] == embedded[name]


def test_workers_are_sent_what_the_platform_was_tested_with() -> None:
    def pins(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.MULTILINE))

    tested, sent = pins(ROOT / "requirements.txt"), pins(DEPLOY / "requirements-jobs.txt")
    wanted = [line for line in (DEPLOY / "requirements-jobs.in").read_text().splitlines() if not line.startswith("#")]
    assert set(wanted) <= set(sent)
    assert {name: tested.get(name) for name in sent} == sent
