"""`GET /api/v1/alerts/stream`: the topic `alerts` as Server-Sent Events.

The id of an event holds the offsets that come next, one a partition, so a client that lost its connection goes on where
it was, whichever process answers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final
from uuid import uuid4

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from api.asgi import Scope, header
from api.parameters import parse_query
from api.problems import invalid, unavailable
from api.streams import Event, Feed
from contracts.settings import Settings

PATH: Final = "/api/v1/alerts/stream"
MOST_CLIENTS: Final = 32  # of one process: each has a consumer, and a thread that waits for it
WAIT_SECONDS: Final = 1.0  # of one look into the topic, and so at most until a client that left is let go
QUIET_LOOKS: Final = 15  # after so many without an alert the client hears that the line still stands
CALL_SECONDS: Final = 5.0
AT_ONCE: Final = 100


class AlertStream:
    """Opens a feed for each client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(MOST_CLIENTS, thread_name_prefix="alert-stream")
        self._feeds: set[AlertFeed] = set()
        self._opening = 0

    async def __call__(self, scope: Scope) -> Feed:
        """Problem 400 for an id that is none of ours, 503 without a broker or with too many clients."""
        parse_query(scope["query_string"], ())
        offsets = self._offsets(header(scope, b"last-event-id").decode("latin-1"))
        if len(self._feeds) + self._opening >= MOST_CLIENTS:
            raise unavailable(f"{MOST_CLIENTS} clients are listening already")
        self._opening += 1
        try:
            consumer = await asyncio.get_running_loop().run_in_executor(self._pool, self._open, offsets)
        except KafkaException as error:
            raise unavailable(f"Kafka: {error}") from None
        finally:
            self._opening -= 1
        feed = AlertFeed(consumer, self._pool, self._feeds.discard)
        self._feeds.add(feed)
        return feed

    def end(self) -> None:
        """Ends all feeds soon: their clients connect again, and find another process."""
        for feed in self._feeds:
            feed.ending = True

    def close(self) -> None:
        """After the last request."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _offsets(self, last: str) -> list[int]:
        """Where to begin in each partition: behind the last event, or at the end."""
        count = self._settings.topics.alerts.partitions
        if not last:
            return [OFFSET_END] * count
        parts = last.split("-")
        if len(parts) != count or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            raise invalid("Last-Event-ID", "is not the id of an event of this stream")
        return [int(part) for part in parts]

    def _open(self, offsets: list[int]) -> Consumer:
        # A group is demanded, and nothing is committed under it.
        options = {"group.id": f"tidewatch-stream-{uuid4()}", "enable.auto.commit": False, "log_level": 0}
        options |= {"isolation.level": "read_committed", "auto.offset.reset": "earliest"}
        topic = self._settings.topics.alerts.name
        consumer = Consumer({**self._settings.kafka_client, **options})
        try:
            consumer.list_topics(topic, timeout=CALL_SECONDS)
            places = [TopicPartition(topic, number, offset) for number, offset in enumerate(offsets)]
            for place in places:
                if place.offset == OFFSET_END:
                    # As a number: the id of an event tells where each partition goes on, also one without events yet.
                    place.offset = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)[1]
            consumer.assign(places)
        except KafkaException:
            consumer.close()
            raise
        return consumer


class AlertFeed:
    """One client's: a consumer of its own, which sees committed transactions only."""

    def __init__(self, consumer: Consumer, pool: Executor, closed: Callable[["AlertFeed"], None]) -> None:
        self.ending = False
        self._consumer = consumer
        self._pool = pool
        self._closed = closed
        self._look: asyncio.Future[list[Message]] | None = None

    async def events(self) -> AsyncIterator[Event | None]:
        loop, quiet = asyncio.get_running_loop(), 0
        places = sorted(self._consumer.assignment(), key=lambda place: place.partition)
        offsets = [place.offset for place in places]
        while not self.ending:
            self._look = loop.run_in_executor(self._pool, self._consumer.consume, AT_ONCE, WAIT_SECONDS)
            found = [event for message in await asyncio.shield(self._look) if (event := _event(message, offsets))]
            for event in found:
                yield event
            quiet = 0 if found else quiet + 1
            if quiet >= QUIET_LOOKS:
                quiet = 0
                yield None

    async def close(self) -> None:
        """Waits for the look that goes on, since a consumer must not be closed meanwhile."""
        if self._look is not None and not self._look.done():
            await asyncio.wait([self._look])
        await asyncio.get_running_loop().run_in_executor(self._pool, self._consumer.close)
        self._closed(self)


def _event(message: Message, offsets: list[int]) -> Event | None:
    """The message as an event, `offsets` moved behind it; None for an error: librdkafka goes on by itself."""
    offset, partition = message.offset(), message.partition()
    if message.error() is not None or offset is None or partition is None:
        return None
    offsets[partition] = offset + 1
    return Event("-".join(map(str, offsets)), "alert", message.value() or b"")
