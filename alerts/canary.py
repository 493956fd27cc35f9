"""The canary: a point that goes the whole way of an alert. When what comes of it does not arrive, alerts do not either.

Topic `points`, job `data`, topic `series`, job `detection` and its rule `CANARY`, topic `alerts`. It does not begin at
the API: that this is away is known by whoever sends to it, and is no reason that alerts would not arrive.
"""

from typing import Final, Literal

import msgspec
from confluent_kafka import KafkaException, Producer

from alerts import metrics
from contracts.alerts import Alert, alert_id, fingerprint
from contracts.names import CANARY_METRIC
from contracts.points import Point, encode_point, series_of
from contracts.rules import CANARY
from contracts.settings import Settings

DEAD_MAN_RULE: Final = "alerts-do-not-arrive"
DEAD_MAN: Final = fingerprint(DEAD_MAN_RULE, {})

SERIES: Final = series_of(CANARY_METRIC, "counter", {})

State = Literal["well", "broken"]


class Canary:
    """Sends them, and notices when none arrives. Times: epoch ms."""

    def __init__(self, settings: Settings, now: int) -> None:
        own = settings.alerts
        self._settings = settings
        self._topic = settings.topics.points
        self._every = int(own.canary_seconds * 1000)
        self._late = int(own.canary_late_seconds * 1000)
        self._producer: Producer | None = None
        self.start(now)

    def start(self, now: int) -> None:
        """This instance begins to work, or to wait: what came before is not known."""
        self._arrived = self._send_at = now  # when the newest that has arrived was sent
        self._arrived_once = False
        self._state: State | None = None

    def takes(self, message: Alert, now: int) -> bool:
        """Whether the message, that it begins or that it is over, is of a canary; then it has arrived.

        What counts is when it was sent: a way that is an hour behind is as good as broken.
        """
        if (message.rule, message.kind) != (CANARY.name, CANARY.kind):
            return False
        sent = min(now, message.ends_at or message.starts_at)
        if sent >= self._arrived:
            self._arrived, self._arrived_once = sent, True
        return True

    def turn(self, now: int) -> State | None:
        """Sends one when it is time; says how the way is when that has changed, None otherwise."""
        if not self._every:
            return None
        if now >= self._send_at:
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
        try:
            if self._producer is None:
                timeout = {"message.timeout.ms": self._late or 1000, "log_level": 0, "acks": "all"}
                self._producer = Producer({**self._settings.kafka_client, **timeout, "client.id": "tidewatch-canary"})
            point, partition = encode_point(Point(SERIES, now, 1.0)), SERIES.shard % self._topic.partitions
            self._producer.produce(self._topic.name, point, partition=partition)
            self._producer.poll(0)
        except (KafkaException, BufferError):
            return  # it will not arrive, then


def dead_man(state: State, broken: Alert | None, now: int) -> list[Alert]:
    """What is to be recorded of a way that turned so; `broken` is the alert about it that is open."""
    if state == "broken" and broken is None:
        summary = (
            "Alerts do not arrive: the canary is overdue. "
            "Look at Kafka, at Flink's jobs `data` and `detection`, and at the alert service."
        )
        return [Alert(alert_id(DEAD_MAN_RULE, {}, now), DEAD_MAN_RULE, "blind", {}, "critical", "firing", now, summary)]
    if state == "well" and broken is not None:
        return [msgspec.structs.replace(broken, status="resolved", ends_at=now)]
    return []
