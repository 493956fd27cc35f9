"""Malformed bytes while the other traffic flows: to the API, which must refuse them, and straight to the topic."""

import asyncio
import time
from collections import Counter
from typing import Final

from confluent_kafka import KafkaException, Producer

from contracts.names import INGESTED_HEADER
from contracts.settings import Settings
from testbed.malformed import LONGEST, MixedRecord, bad_line, mixed_record
from tests.chaos.http import Http
from tests.chaos.streams import Stream

EVERY: Final = 0.25  # seconds between two requests, and between two records
POLL: Final = 0.05
REQUESTS: Final = 10**9  # their numbers begin there, so that none has the bytes of a record's line
FLUSH_SECONDS: Final = 30.0


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
    """Records of good and bad lines, and of garbage, by a Kafka producer; good tags are noted in `stream`.

    A record's fate is all or nothing: `acknowledged` holds the numbers of those that the broker has for certain.
    """

    def __init__(self, settings: Settings, seed: int, stream: Stream) -> None:
        self._settings, self._seed, self._stream = settings, seed, stream
        self.sent: list[tuple[MixedRecord, list[int]]] = []  # with the indices of its tags
        self.acknowledged: set[int] = set()
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
        quiet = {"log_level": 0, "reconnect.backoff.max.ms": 500}
        idempotent = {"acks": "all", "enable.idempotence": True, "message.timeout.ms": 20_000}
        return Producer({**self._settings.kafka_client, **idempotent, **quiet})

    def _send(self) -> None:
        number, first = len(self.sent), len(self._stream.fates)
        tags = [self._stream.traffic.tag(first + at) for at in range(number % LONGEST + 1)]
        record = mixed_record(self._seed, number, tags)
        indices = list(range(first, first + len(record.tags)))
        for index in indices:
            self._stream.send(index)
        self.sent.append((record, indices))
        topic = self._settings.topics.user_tags
        try:
            self._producer.produce(
                topic.name,
                record.value,
                partition=number % topic.partitions,
                timestamp=self._stream.traffic.time(first),
                headers={INGESTED_HEADER: str(int(time.time() * 1000))},
                on_delivery=lambda error, _: self._delivered(number) if error is None else None,
            )
        except KafkaException:  # this producer is lost for good
            self._producer = self._connect()

    def _delivered(self, number: int) -> None:
        self.acknowledged.add(number)
        for index in self.sent[number][1]:
            self._stream.acknowledge(index)
