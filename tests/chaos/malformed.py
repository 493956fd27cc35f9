"""Malformed bytes while the other traffic flows: to the API, which must refuse them, and straight to the topic."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from contracts.names import EVENT_TIME_HEADER
from contracts.settings import Settings
from testbed.malformed import LONGEST, bad_line, mixed_record
from tests.chaos.http import Http
from tests.chaos.streams import SentRecord, Stream

EVERY: Final = 0.25  # seconds between two requests, and between two records
POLL: Final = 0.05
REQUESTS: Final = 10**9  # their numbers begin there, so that none has the bytes of a record's line
FLUSH_SECONDS: Final = 60.0
Delivered = Callable[[KafkaError | None, object], None]


class Requests:
    """Malformed calls; `answers` counts them by status. Each must get 400 while the API can be reached."""

    def __init__(self, http: Http, seed: int, stream: Stream) -> None:
        self._http, self._seed, self._stream = http, seed, stream
        self.answers: Counter[int] = Counter()

    async def run(self) -> None:
        """Until cancelled."""
        number = REQUESTS
        while True:
            body = bad_line(self._seed, number, self._stream.traffic.tag(number))
            self.answers[(await self._http.post("/user_tags", body)).status] += 1
            number += 1
            await asyncio.sleep(EVERY)


class Records:
    """Records of good and bad lines, and of garbage, by a Kafka producer; good tags are noted in `stream`."""

    def __init__(self, settings: Settings, seed: int, stream: Stream) -> None:
        self._settings, self._seed, self._stream = settings, seed, stream
        self.sent: list[SentRecord] = []
        self._producer = self._connect()

    async def run(self) -> None:
        """Until cancelled."""
        due = time.monotonic()
        while True:
            self._producer.poll(0)
            if time.monotonic() >= due:
                self._send()
                due += EVERY
            await asyncio.sleep(POLL)

    def flush(self) -> None:
        """Blocks until every record has its fate."""
        self._producer.flush(FLUSH_SECONDS)

    def _connect(self) -> Producer:
        """Never gives up a record by itself: librdkafka might then write others twice."""
        quiet = {"log_level": 0, "reconnect.backoff.max.ms": 500}
        idempotent = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": 0}
        return Producer({**self._settings.kafka_client, **idempotent, **quiet})

    def _send(self) -> None:
        number, first = len(self.sent), len(self._stream.fates)
        traffic = self._stream.traffic
        mixed = mixed_record(self._seed, number, [traffic.tag(first + at) for at in range(number % LONGEST + 1)])
        indices = range(first, first + len(mixed.tags))
        for index in indices:
            self._stream.send(index)
        record = SentRecord(mixed.bad, [traffic.time(index) for index in indices])
        self.sent.append(record)

        def delivered(error: KafkaError | None, _: object) -> None:
            if error is None:
                record.acknowledged = True
                for index in indices:
                    self._stream.acknowledge(index)

        self._produce(mixed.value, number, traffic.time(first), delivered)

    def _produce(self, value: bytes, number: int, time_ms: int, delivered: Delivered) -> None:
        topic = self._settings.topics.user_tags
        try:
            self._producer.produce(
                topic.name,
                value,
                partition=number % topic.partitions,
                headers={EVENT_TIME_HEADER: str(time_ms)},
                on_delivery=delivered,
            )
        except KafkaException:  # this producer is lost for good
            self._producer = self._connect()
