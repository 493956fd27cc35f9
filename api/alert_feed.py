"""Alerts that came over HTTP, into the topic of alerts."""

import threading
import zlib
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.alerts import Alert, encode
from contracts.settings import Settings

_SECONDS: Final = 5.0  # at most, until the broker has taken them


class FeedUnavailable(Exception):
    """The broker has not taken all of the alerts; the message says why. Sending them again is harmless."""


class AlertFeed:
    """Threads may share it; connecting waits for the first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics.alerts
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def send(self, alerts: list[Alert]) -> None:
        """Returns once the broker has them. FeedUnavailable."""
        producer = self._connected()
        failed: list[str] = []

        def settled(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error.str())

        try:
            for alert in alerts:
                partition = zlib.crc32(alert.id.encode()) % self._topic.partitions
                producer.produce(self._topic.name, encode(alert), alert.id, partition, on_delivery=settled)
        except (BufferError, KafkaException) as error:
            raise FeedUnavailable(f"Kafka: {error}") from None
        if producer.flush(_SECONDS) or failed:
            raise FeedUnavailable(f"Kafka: {failed[0] if failed else 'it has not answered in time'}")

    def close(self) -> None:
        """What was not sent is given up."""
        if self._producer is not None:
            self._producer.purge()

    def _connected(self) -> Producer:
        with self._lock:
            if self._producer is None:
                timeout = {"message.timeout.ms": int(_SECONDS * 1000), "acks": "all", "enable.idempotence": True}
                options = {"client.id": "tidewatch-api-alerts", "log_level": 0, "allow.auto.create.topics": False}
                self._producer = Producer({**self._settings.kafka_client, **timeout, **options})
            return self._producer
