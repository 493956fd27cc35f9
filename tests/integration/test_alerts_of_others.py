"""Alerts that come over HTTP: what Prometheus sends to an Alertmanager goes the whole way, and once."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from contracts.settings import Settings
from tests.conftest import free_ports
from tests.integration.alert_service import DEADLINE, AlertService, webhook_messages
from tests.integration.api_server import ApiServer
from tests.unit.http_receiver import HttpReceiver


@pytest.fixture
def service(
    settings: Settings, topics: dict[str, str], tmp_path: Path, receiver: HttpReceiver
) -> Iterator[AlertService]:
    hook = {"kind": "webhook", "url": f"{receiver.url}/hook", "secret": "hush"}
    route = {
        "name": "all",
        "receivers": ["hook"],
        "group_by": ["..."],
        "group_wait": "100ms",
        "group_interval": "100ms",
    }
    service = AlertService(settings, tmp_path, {"receivers": {"hook": hook}, "routes": [route]})
    service.start()
    yield service
    service.kill()


@pytest.fixture
def api(settings: Settings, service: AlertService) -> Iterator[ApiServer]:
    given = {"TIDEWATCH_ALERTS__STORE_URL": service.url, "TIDEWATCH_TOPICS__ALERTS__NAME": service.topic}
    server = ApiServer(settings, **given)
    yield server
    server.stop()


def post(api: ApiServer, **alert: object) -> int:
    return api.call("POST", "/api/v2/alerts", json.dumps([alert]).encode()).status


def test_repeated_calls_are_told_once_and_the_end_is_told(
    service: AlertService, api: ApiServer, receiver: HttpReceiver
) -> None:
    service.until_ready()
    labels = {"alertname": "Up", "job": "shop", "severity": "page"}
    begun = {"labels": labels, "startsAt": "2026-01-05T08:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    assert post(api, **begun) == 200
    service.until(lambda: len(webhook_messages(receiver)) == 1)
    assert post(api, **begun) == 200
    assert post(api, **{**begun, "endsAt": "2026-01-05T08:05:00Z"}) == 200
    service.until(lambda: len(webhook_messages(receiver)) == 2)
    assert [message.event for message in webhook_messages(receiver)] == ["firing", "resolved"]
    alert = webhook_messages(receiver)[0].alert
    assert (alert.rule, alert.kind, alert.severity) == ("Up", "external", "critical")
    shown = api.call("GET", f"/api/v1/alerts/{alert.id}").json
    assert (shown["status"], shown["ends_at"]) == ("resolved", "2026-01-05T08:05:00.000Z")


def test_a_test_of_a_receiver_is_sent(service: AlertService, api: ApiServer, receiver: HttpReceiver) -> None:
    service.until_ready()
    number = api.call("POST", "/api/v1/receivers/hook/test").json["number"]
    service.until(lambda: api.call("GET", f"/api/v1/notifications/{number}").json["state"] == "sent")
    assert [message.event for message in webhook_messages(receiver)] == ["test"]
    unknown = api.call("POST", "/api/v1/receivers/nobody/test").json["number"]
    service.until(lambda: api.call("GET", f"/api/v1/notifications/{unknown}").json["state"] == "failed")


def test_prometheus_sends_its_alerts_here(
    service: AlertService, api: ApiServer, receiver: HttpReceiver, tmp_path: Path
) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    service.until_ready()
    rule: dict[str, object] = {
        "alert": "Soon",
        "expr": "vector(1)",
        "labels": {"severity": "warning"},
        "annotations": {"summary": "it will be over soon"},
    }
    rules = {"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    targets = [{"static_configs": [{"targets": [f"127.0.0.1:{api.port}"]}]}]
    config = {"rule_files": ["rules.yml"], "alerting": {"alertmanagers": targets}}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    options = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        # It finds out where to send some seconds after it has begun to judge, and says all again only so often. So it
        # is over when it was told, not some seconds after the start.
        command = [program, *options, f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"]
        process = subprocess.Popen(command, stderr=log)  # noqa: S603  # Debian's own program
    try:
        service.until(lambda: len(webhook_messages(receiver)) == 1)
        rule["expr"] = "vector(1) > 2"
        (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
        process.send_signal(signal.SIGHUP)  # it reads its rules again
        service.until(lambda: len(webhook_messages(receiver)) == 2)
    finally:
        process.terminate()
        process.wait(DEADLINE)
    assert [message.event for message in webhook_messages(receiver)] == ["firing", "resolved"]
    assert webhook_messages(receiver)[0].alert.summary == "it will be over soon"
