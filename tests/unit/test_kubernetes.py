"""The Kubernetes manifests, as far as they can be judged without a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.settings import PREFIX
from contracts.settings_source import load
from infra.flink.node import NODES
from tests.unit.test_compose import COMPOSE, PINNED

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    one for name in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())
]
SETTINGS = FOLDER / "settings.yaml"


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [one for one in OBJECTS if one["kind"] in kinds]


def pods() -> list[dict[str, Any]]:
    by_the_clock = [one["spec"]["jobTemplate"] for one in of_kind("CronJob")]
    return [one["spec"]["template"]["spec"] for one in [*of_kind("Deployment", "Job"), *by_the_clock]]


def containers() -> list[dict[str, Any]]:
    return [one for pod in pods() for one in [*pod.get("initContainers", []), *pod["containers"]]]


def test_the_settings_are_usable_and_name_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for container in containers():
        for variable in container.get("env", []):
            if variable["name"].startswith(PREFIX):
                monkeypatch.setenv(variable["name"], '["token"]' if "TOKENS" in variable["name"] else "secret")
    settings = load(SETTINGS)
    assert settings.embedded == []
    (service,) = [one for one in of_kind("Service") if one["metadata"]["name"] == settings.flink_host]
    assert {port["port"] for port in service["spec"]["ports"]} == {settings.flink.port, settings.flink.jobmanager_port}
    assert settings.flink.options["kubernetes.namespace"] == KUSTOMIZATION["namespace"]
    assert settings.checkpoint_dir.startswith("s3://")


def test_images_are_pinned_and_those_of_the_compose_set_up() -> None:
    built = {service["image"] for service in COMPOSE["services"].values() if "build" in service}
    assert {container["image"] for container in containers()} == built
    assert all(PINNED.match(image) for image in built)


def test_commands_are_ours() -> None:
    for container in containers():
        if "command" in container:
            python, option, module, argument = container["command"]
            assert (python, option) == ("python", "-m")
            assert argument in NODES if module == "infra.flink.node" else (ROOT / module / f"{argument}.py").exists()


def test_everything_that_serves_is_probed_and_bounded() -> None:
    for deployment in of_kind("Deployment"):
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            assert "readinessProbe" in container
            assert "memory" in container["resources"]["limits"]
            assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_nothing_is_mounted_that_is_not_declared() -> None:
    maps = {one["name"] for one in KUSTOMIZATION["configMapGenerator"]}
    claims = {one["metadata"]["name"] for one in of_kind("PersistentVolumeClaim")}
    for pod in pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        mounted = {
            mount["name"]
            for one in [*pod.get("initContainers", []), *pod["containers"]]
            for mount in one["volumeMounts"]
        }
        assert mounted == set(volumes)
        assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} <= maps
        claimed = [volume["persistentVolumeClaim"] for volume in volumes.values() if "persistentVolumeClaim" in volume]
        assert {claim["claimName"] for claim in claimed} <= claims
