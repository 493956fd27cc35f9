"""`python -m alerts` as a process, with a topic and a store of its own; and what its receivers were sent."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from confluent_kafka import Producer
from sqlalchemy import Connection

from alerts.message import Message
from contracts.alerts import Alert, encode
from contracts.settings import Settings
from infra import topics
from stores import alert_incidents, alert_outbox
from stores.alert_incidents import Filter
from stores.alerts import AlertStore
from tests.conftest import CHECKOUT, START_SECONDS, free_ports
from tests.fetch import fetch
from tests.unit.http_receiver import HttpReceiver

DEADLINE = 180.0


class AlertService:
    """`start`, `kill` (SIGKILL) and `stop` the process; the topic, the store and the file of routes stay."""

    def __init__(self, settings: Settings, folder: Path, routes: dict[str, Any], **changes: str) -> None:
        topic = settings.topics.alerts.model_copy(update={"name": f"alerts-{uuid.uuid4().hex[:8]}"})
        self.settings = settings.model_copy(update={"topics": settings.topics.model_copy(update={"alerts": topic})})
        topics.ensure(self.settings, START_SECONDS)
        self.topic, self.folder = topic.name, folder
        (folder / "routes.yml").write_text(yaml.safe_dump(routes))
        self.url = f"sqlite:///{folder / 'alerts.db'}"
        self._changes = {"ALERTS__CANARY_SECONDS": "0", "ALERTS__LEASE_SECONDS": "1", **changes}
        self._process: subprocess.Popen[bytes] | None = None
        self._producer = Producer({**settings.kafka_client, "acks": "all"})

    def start(self) -> None:
        """Returns at once; `until_ready` waits."""
        (self.port,) = free_ports(1)
        given = {
            "ALERTS__PORT": str(self.port),
            "ALERTS__ROUTES": str(self.folder / "routes.yml"),
            "ALERTS__STORE_URL": self.url,
            "TOPICS__ALERTS__NAME": self.topic,
            **self._changes,
        }
        environment = {**os.environ, **{f"TIDEWATCH_{name}": value for name, value in given.items()}}
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "alerts"]
            self._process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stderr=log)  # noqa: S603  # ourselves

    def until_ready(self) -> None:
        self.until(lambda: self.get("/readyz")[0] == 200)

    def get(self, path: str) -> tuple[int, str]:
        return fetch(self.port, path)

    def leads(self) -> bool:
        status, body = self.get("/readyz")
        return status == 200 and bool(json.loads(body)["leads"])

    def until(self, condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-5000:]
            time.sleep(0.05)

    def say(self, *alerts: Alert) -> None:
        """Returns when the broker has them."""
        for alert in alerts:
            self._producer.produce(self.topic, encode(alert), alert.id)
        assert self._producer.flush(DEADLINE) == 0

    def noted(self, receiver: str) -> int:
        """How many letters to the receiver stand as sent."""
        with self._reading() as connection:
            return alert_outbox.counts(connection).get((receiver, "sent"), 0)

    def live(self) -> int:
        """How many incidents are not over, or have something left to tell."""
        with self._reading() as connection:
            return len(alert_incidents.live(connection))

    def states(self) -> Counter[str]:
        """How many incidents, of a thousand at most, are in each state."""
        with self._reading() as connection:
            return Counter(one.alert.status for one in alert_incidents.listed(connection, Filter(), 1000))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with closing(AlertStore(self.url)) as store, store.reading() as connection:
            yield connection

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(DEADLINE)


MakeService = Callable[..., AlertService]  # its arguments: settings without TIDEWATCH_


def routes_to(receiver: HttpReceiver) -> dict[str, Any]:
    """Each alert by itself, soon, to a webhook and to what looks like PagerDuty."""
    return {
        "receivers": {
            "hook": {"kind": "webhook", "url": f"{receiver.url}/hook", "secret": "hush"},
            "pager": {"kind": "pagerduty", "routing_key": "R" * 32, "url": f"{receiver.url}/v2/enqueue"},
        },
        "routes": [
            {
                "name": "all",
                "receivers": ["hook", "pager"],
                "group_by": ["..."],
                "group_wait": "100ms",
                "group_interval": "100ms",
            }
        ],
    }


def webhook_messages(receiver: HttpReceiver) -> list[Message]:
    """What the webhook was sent, copies too, in order."""
    with receiver.lock:
        calls = [call for call in receiver.calls if call.path == "/hook"]
    return [msgspec.convert(one, Message) for call in calls for one in call.json["messages"]]


def webhook_keys(receiver: HttpReceiver) -> list[str]:
    """Their keys, each once, as a receiver that honours them sees it."""
    return list(dict.fromkeys(message.key for message in webhook_messages(receiver)))


def pager_calls(receiver: HttpReceiver) -> list[tuple[str, str]]:
    """What PagerDuty was sent: action and dedup_key, copies too, in order."""
    with receiver.lock:
        calls = [call.json for call in receiver.calls if call.path == "/v2/enqueue"]
    return [(call["event_action"], call["dedup_key"]) for call in calls]
