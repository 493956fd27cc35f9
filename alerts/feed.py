"""Reads the topic of alerts: committed transactions only, from where the store says that it was read to."""

import time
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from alerts import metrics
from contracts.alerts import Alert, decode
from contracts.settings import Settings

CALL_SECONDS: Final = 1.0  # at most, of a call that holds up the service: its lease must not run out meanwhile
ASK_SECONDS: Final = 2.0  # between attempts to find the topic
MOST: Final = 500  # messages a turn

log: Final = structlog.get_logger()


class Read(NamedTuple):
    """What was read of a topic: the messages in order, and by partition the next offset.

    `first`: the topic was never read before, and this is all that it held.
    """

    topic_id: str
    messages: list[Alert]
    next_offsets: dict[int, int]
    first: bool = False


class Feed:
    """`find` and `seek`, then `poll` again and again, from one thread. `reason` says what is wrong, if anything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics.alerts.name
        # A group is demanded, and nothing is committed under it.
        options = {"group.id": "tidewatch-alerts", "enable.auto.commit": False, "isolation.level": "read_committed"}
        options |= {"auto.offset.reset": "earliest", "fetch.queue.backoff.ms": 5, "reconnect.backoff.max.ms": 1000}
        options |= {"enable.partition.eof": True, "log_level": 0}
        self._consumer = Consumer({**settings.kafka_client, **options, "error_cb": self._on_error})
        self.reason: str | None = "the topic was not found yet"
        self.topic_id: str | None = None
        self._first: dict[int, int] | None = None  # by partition how far the topic went when it was first looked at
        self._gathered: list[Alert] = []
        self._next: dict[int, int] = {}
        self._ask_at = 0.0

    def find(self) -> str | None:
        """The topic's id, by which a topic that was made anew is told apart; None while no broker tells."""
        if self.topic_id is None and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + ASK_SECONDS
            try:
                self.topic_id = _topic_id(self._settings, self._topic)
            except KafkaException as error:
                self.reason = f"topic {self._topic}: {error.args[0].str()}"
        return self.topic_id

    def seek(self, next_offsets: dict[int, int]) -> None:
        """Goes on from there; with nothing known, from the beginning. Raises KafkaException when no broker answers."""
        partitions = self._consumer.list_topics(self._topic, timeout=CALL_SECONDS).topics[self._topic].partitions
        if not partitions:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        self._first = None
        if not next_offsets:
            self._first = {number: self._end(number) for number in partitions}
            self._gathered = []
        self._next = {number: next_offsets.get(number, 0) for number in partitions}
        self._consumer.assign([TopicPartition(self._topic, number, offset) for number, offset in self._next.items()])
        self.reason = None

    def poll(self, timeout: float) -> Read | None:
        """What came within `timeout` seconds; None when nothing did.

        A record that cannot be read is counted, told of in the log, and passed over.
        """
        topic_id = self.topic_id or ""
        messages: list[Alert] = []
        moved: dict[int, int] = {}
        for record in self._consumer.consume(MOST, timeout):
            self._take(record, messages, moved)
        self._next |= moved
        self._ask()
        if self._first is not None:
            return self._first_read(topic_id, messages)
        return Read(topic_id, messages, moved) if moved else None

    def forget(self) -> None:
        """Stops reading; `find` and `seek` begin anew, from where the store then is."""
        with suppress(KafkaException):
            self._consumer.unassign()
        self.topic_id, self.reason = None, "not reading"

    def close(self) -> None:
        self._consumer.close()

    def _take(self, record: Message, messages: list[Alert], moved: dict[int, int]) -> None:
        error = record.error()
        partition, offset = record.partition(), record.offset()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF and partition is not None and offset is not None:
                if self._first is not None:
                    moved[partition] = offset  # behind the last one may stand a mark of a transaction
            elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self.forget()
            else:
                self.reason = error.str()
            return
        self.reason = None
        if partition is None or offset is None:
            return
        moved[partition] = offset + 1
        try:
            messages.append(decode(record.value() or b""))
            metrics.MESSAGES.labels("read").inc()
        except msgspec.DecodeError as wrong:
            metrics.MESSAGES.labels("unreadable").inc()
            log.error("not an alert", partition=partition, offset=offset, reason=str(wrong))

    def _first_read(self, topic_id: str, messages: list[Alert]) -> Read | None:
        """Gathers until the end that the topic had at the beginning."""
        self._gathered += messages
        if self._first is None or any(self._next[number] < end for number, end in self._first.items()):
            return None
        gathered, self._first, self._gathered = self._gathered, None, []
        return Read(topic_id, gathered, dict(self._next), first=True)

    def _ask(self) -> None:
        """Whether a broker that was away is back: without new messages nothing else would tell."""
        if self.reason is not None and self.topic_id is not None and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + ASK_SECONDS
            try:
                self._consumer.list_topics(self._topic, timeout=CALL_SECONDS)
                self.reason = None
            except KafkaException as error:
                self.reason = error.args[0].str()

    def _end(self, partition: int) -> int:
        _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=CALL_SECONDS)
        return int(end)

    def _on_error(self, error: KafkaError) -> None:
        self.reason = error.str()


def _topic_id(settings: Settings, topic: str) -> str:
    admin = AdminClient({**settings.kafka_client, "log_level": 0})
    asked = admin.describe_topics(TopicCollection([topic]), request_timeout=CALL_SECONDS)
    description: Any = asked[topic].result()
    return str(description.topic_id)
