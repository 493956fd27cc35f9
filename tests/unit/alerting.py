"""The alert stages over a real store, with a clock that stands until it is moved."""

from pathlib import Path
from typing import Any

import msgspec

from alerts import message as messages
from alerts import stages
from alerts.config import Config, parse
from alerts.message import Message
from alerts.record import record
from contracts.alerts import Alert, Severity, alert_id
from contracts.matchers import parse as matcher
from stores import alert_incidents, alert_outbox, alert_silences
from stores.alert_incidents import Acknowledgement, Change
from stores.alert_silences import Silence
from stores.alerts import AlertStore

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
START = 1_767_600_000_000  # 2026-01-05T08:00:00Z

RECEIVERS = {name: {"kind": "log"} for name in ("chat", "mail", "phone", "other")}
ROUTE = {"name": "all", "receivers": ["chat"], "group_wait": "5s", "group_interval": "1m", "repeat_interval": "4h"}


def config(**sections: Any) -> Config:
    """One route to `chat`, unless the sections say otherwise."""
    return parse({"receivers": RECEIVERS, "routes": [ROUTE], **sections})


def firing(rule: str = "errors", at: int = START, severity: Severity = "warning", **labels: str) -> Alert:
    """An alert that began at `at`."""
    return Alert(alert_id(rule, labels, at), rule, "threshold", labels, severity, "firing", at, f"{rule} is high")


def resolved(alert: Alert, lasted: int = 10 * MINUTE) -> Alert:
    return msgspec.structs.replace(alert, status="resolved", ends_at=alert.starts_at + lasted)


class Desk:
    """What the service does in a turn, by hand."""

    def __init__(self, store: AlertStore, rules: Config | None = None) -> None:
        self.store, self.config, self.now = store, rules or config(), START
        store.create()
        self.next: int | None = None

    def hears(self, *alerts: Alert) -> list[str]:
        """The messages come in, and a look is taken; what went out."""
        with self.store.writing() as connection:
            record(connection, alerts, self.config.flapping, self.now)
        return self.looks()

    def looks(self) -> list[str]:
        """As `event receiver rule`, in order: what went out newly."""
        with self.store.writing() as connection:
            self.next = stages.run(connection, self.config, self.now)
        return [f"{one.event} {receiver} {one.alert.rule}" for receiver, one in self._delivered()]

    def later(self, milliseconds: int) -> list[str]:
        """What went out in that time, looking now and then whenever the last look said so, as the service does."""
        end, out = self.now + milliseconds, self.looks()
        while self.next is not None and self.next <= end:
            self.now = self.next
            out += self.looks()
        self.now = end
        return out

    def acknowledge(self, alert: Alert, by: str = "ann") -> None:
        with self.store.writing() as connection:
            alert_incidents.acknowledge(connection, alert.id, Acknowledgement(by, self.now, ""))

    def silence(self, *texts: str, minutes: int = 60) -> Silence:
        chosen = [matcher(text) for text in texts]
        silence = Silence("5" * 32, chosen, self.now, self.now + minutes * MINUTE, "bob", "", self.now)
        with self.store.writing() as connection:
            alert_silences.add(connection, silence)
        return silence

    def history(self, alert: Alert) -> list[str]:
        with self.store.reading() as connection:
            return [change.what for change in alert_incidents.history(connection, alert.id)]

    def changes(self, alert: Alert) -> list[Change]:
        with self.store.reading() as connection:
            return alert_incidents.history(connection, alert.id)

    def messages(self) -> list[Message]:
        """All that ever went out."""
        with self.store.reading() as connection:
            rows = [
                row
                for alert in alert_incidents.listed(connection, alert_incidents.Filter(), 1000)
                for row in alert_outbox.of_incident(connection, alert.id)
            ]
        return [messages.decode(row.letter.payload) for row in sorted(rows, key=lambda row: row.number)]

    def live(self) -> int:
        with self.store.reading() as connection:
            return len(alert_incidents.live(connection))

    def _delivered(self) -> list[tuple[str, Message]]:
        out = []
        with self.store.writing() as connection:
            while due := alert_outbox.due(connection, self.now):
                out += [(row.letter.receiver, messages.decode(row.letter.payload)) for row in due]
                alert_outbox.sent(connection, [row.number for row in due], self.now)
        return out


def sqlite_store(folder: Path) -> AlertStore:
    return AlertStore(f"sqlite:///{folder / 'alerts.db'}")
