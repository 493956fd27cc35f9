"""The canary: a message that goes the way of all alerts. When it does not arrive, alerts do not either."""

from typing import Final, Literal

import msgspec
from confluent_kafka import KafkaException, Producer

from alerts import metrics
from contracts.alerts import Alert, alert_id, encode, fingerprint
from contracts.settings import Settings

CANARY_RULE: Final = "canary"  # of messages that are nobody's business but ours
DEAD_MAN_RULE: Final = "alerts-do-not-arrive"
DEAD_MAN: Final = fingerprint(DEAD_MAN_RULE, {})

State = Literal["well", "broken"]


class Canary:
    """Sends them, unless the settings leave that to a rule, and notices when none arrives. Times: epoch ms."""

    def __init__(self, settings: Settings, now: int) -> None:
        own = settings.alerts
        self._settings = settings
        self._topic = settings.topics.alerts.name
        self._every = int(own.canary_seconds * 1000)
        self._late = int(own.canary_late_seconds * 1000)
        self._sends = own.canary_sends
        self._producer: Producer | None = None
        self.start(now)

    def start(self, now: int) -> None:
        """This instance begins to work, or to wait: what came before is not known."""
        self._arrived = self._send_at = now
        self._arrived_once = False
        self._state: State | None = None

    def takes(self, message: Alert, now: int) -> bool:
        """Whether the message is a canary; then it has arrived."""
        if message.rule != CANARY_RULE:
            return False
        self._arrived = now
        self._arrived_once = True
        return True

    def turn(self, now: int) -> State | None:
        """Sends one when it is time; says how the way is when that has changed, None otherwise."""
        if not self._every:
            return None
        if self._sends and now >= self._send_at:
            self._send_at = now + self._every
            self._send(now)
        metrics.CANARY_SECONDS.set((now - self._arrived) / 1000)
        state = self._judge(now)
        if state is None or state == self._state:
            return None
        self._state = state
        return state

    def close(self) -> None:
        """What was not sent is given up."""
        if self._producer is not None:
            self._producer.purge()

    def _judge(self, now: int) -> State | None:
        if now - self._arrived > self._every + self._late:
            return "broken"
        return "well" if self._arrived_once else None

    def _send(self, now: int) -> None:
        """Does not wait: whether it arrives is what is asked."""
        alert = Alert(alert_id(CANARY_RULE, {}, now), CANARY_RULE, "external", {}, "info", "resolved", now, "", now)
        try:
            if self._producer is None:
                timeout = {"message.timeout.ms": self._late or 1000, "log_level": 0, "acks": "all"}
                self._producer = Producer({**self._settings.kafka_client, **timeout, "client.id": "tidewatch-canary"})
            self._producer.produce(self._topic, encode(alert), key=alert.id)
            self._producer.poll(0)
        except (KafkaException, BufferError):
            return  # it will not arrive, then


def dead_man(state: State, broken: Alert | None, now: int) -> list[Alert]:
    """What is to be recorded of a way that turned so; `broken` is the alert about it that is open."""
    if state == "broken" and broken is None:
        summary = (
            "Alerts do not arrive: the canary is overdue. Look at Kafka, at Flink's jobs, and at the alert service."
        )
        return [Alert(alert_id(DEAD_MAN_RULE, {}, now), DEAD_MAN_RULE, "blind", {}, "critical", "firing", now, summary)]
    if state == "well" and broken is not None:
        return [msgspec.structs.replace(broken, status="resolved", ends_at=now)]
    return []
