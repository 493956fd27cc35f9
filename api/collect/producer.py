"""The Kafka producer, with its acknowledgements brought to the event loop."""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from api import metrics
from contracts.names import EVENT_TIME_HEADER, ONCE_HEADER
from contracts.settings import Settings, Topic

log: Final = structlog.get_logger()

# None: acknowledged; otherwise what went wrong, as text.
Done = Callable[[str | None], None]
_POLL_SECONDS: Final = 0.05
_LOG_SECONDS: Final = 5.0  # between lines about a broker that is away: every attempt to reach it reports one
_LINGER_MS: Final = 0  # records are batches already


class OutRecord(NamedTuple):
    """A record to be: times in epoch milliseconds, `rows` how many events it holds.

    `event_time` is that of the newest event, `ingested` the clock, which becomes Kafka's own timestamp: by that the
    broker knows which producers are gone, and forgets what it had of them.

    `once`: a key with which it counts once within a day, however often it is sent; empty for none.
    """

    partition: int
    value: bytes
    event_time: int
    ingested: int
    rows: int
    once: str = ""


class LogProducer:
    """Writes records to one topic, `acks=all` and idempotent. Used from the event loop's thread alone.

    When a record is not acknowledged in time, all that are under way are given up, with the producer that holds them.
    Left to itself, librdkafka would give up one and number the others anew: what the broker had written of them without
    its answer having arrived would be written again.
    """

    def __init__(self, settings: Settings, topic: Topic, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._patience = settings.api.delivery_timeout_seconds
        self._topic = topic
        self._loop = loop
        self._settled: deque[tuple[int, str | None]] = deque()
        self._waiting: dict[int, tuple[float, Done]] = {}  # by number, oldest first: when it was sent
        self._numbers = itertools.count()
        self._watch: asyncio.TimerHandle | None = None
        self._woken = False
        self._closing = False
        self._link = _Link(settings, self._on_fatal)

    def send(self, record: OutRecord, done: Done) -> None:
        """Hands the record to librdkafka; `done` is called in the loop, once, at the latest after the delivery timeout.

        A record that cannot even be queued is reported in the same way.
        """
        number = next(self._numbers)
        self._waiting[number] = self._loop.time(), done
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)
        try:
            self._link.producer.produce(
                self._topic.name,
                record.value,
                partition=record.partition,
                timestamp=record.ingested,
                headers=_headers(record),
                on_delivery=lambda error, _message: self._on_delivery(number, error),
            )
        except (BufferError, KafkaException) as error:
            self._loop.call_soon(self._settle, number, str(error))

    def missing_partitions(self, timeout: float) -> dict[int, str]:
        """The partitions that cannot be written to now, with the reason. Blocks; may be called from any thread.

        Raises KafkaException when no broker answers.
        """
        name, partitions = self._topic.name, range(self._topic.partitions)
        topic = self._link.producer.list_topics(name, timeout=timeout).topics[name]
        if topic.error is not None:
            return dict.fromkeys(partitions, f"topic {name}: {topic.error.str()}")
        missing = {}
        for number in partitions:
            partition = topic.partitions.get(number)
            if partition is None:
                missing[number] = f"topic {name} has no partition {number}"
            elif partition.leader < 0:
                missing[number] = f"partition {number} of {name} has no leader"
        return missing

    def give_up(self) -> None:
        """Settles what is in flight now, as failed."""
        self._link.producer.purge()

    def close(self, timeout: float) -> None:
        """Blocks until what was sent is settled, or for `timeout` seconds; what is left then is given up."""
        self._closing = True  # no producer is made anew: nobody would close it
        self._link.close(timeout)

    def _look(self) -> None:
        """Gives up when the oldest record has waited too long; looks again when the next one would have."""
        self._watch = None
        if not self._waiting or self._closing:
            return
        sent, _ = next(iter(self._waiting.values()))
        left = sent + self._patience - self._loop.time()
        if left <= 0:
            log.warning("the broker does not acknowledge, giving up what is under way", records=len(self._waiting))
            self._replace(self._link)
        self._watch = self._loop.call_later(left if left > 0 else self._patience, self._look)

    def _on_delivery(self, number: int, error: KafkaError | None) -> None:
        """In the polling thread. Acknowledgements come in bursts: one wake-up of the loop takes all that are there."""
        self._settled.append((number, None if error is None else error.str()))
        if not self._woken:  # read after the append: whoever clears it drains afterwards
            self._woken = True
            self._wake(self._hand_over)

    def _hand_over(self) -> None:
        self._woken = False
        while self._settled:
            self._settle(*self._settled.popleft())

    def _settle(self, number: int, error: str | None) -> None:
        _, done = self._waiting.pop(number)
        done(error)

    def _on_fatal(self, link: "_Link", error: KafkaError) -> None:
        """In the polling thread."""
        log.error("producer is lost, making a new one", error=error.str())
        self._wake(lambda: self._replace(link))

    def _replace(self, lost: "_Link") -> None:
        if self._link is lost and not self._closing:
            metrics.PRODUCERS_REPLACED.inc()
            self._link = _Link(self._settings, self._on_fatal)
            lost.abandon()

    def _wake(self, action: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)


class _Link:
    """A librdkafka producer and the thread that runs its callbacks."""

    def __init__(self, settings: Settings, on_fatal: Callable[["_Link", KafkaError], None]) -> None:
        self._on_fatal = on_fatal
        self._stopping = threading.Event()
        self._logged = -_LOG_SECONDS
        self.producer = Producer({**configuration(settings), "error_cb": self._on_error})
        self._thread = threading.Thread(target=self._poll, name="kafka-acknowledgements", daemon=True)
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Waits for what is in flight, then gives up the rest, whose callbacks still run."""
        self.producer.flush(timeout)
        self.abandon()
        self._thread.join(timeout=1)

    def abandon(self) -> None:
        """Gives up what is in flight: its callbacks report the failure; then the thread ends."""
        self.producer.purge()
        self._stopping.set()

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._on_fatal(self, error)
        elif time.monotonic() - self._logged > _LOG_SECONDS:
            self._logged = time.monotonic()
            log.warning("kafka", error=error.str())

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self.producer.poll(_POLL_SECONDS)
        self.producer.flush(1)


def _headers(record: OutRecord) -> list[tuple[str, str | bytes | None]]:
    headers: list[tuple[str, str | bytes | None]] = [(EVENT_TIME_HEADER, b"%d" % record.event_time)]
    return [*headers, (ONCE_HEADER, record.once.encode())] if record.once else headers


def configuration(settings: Settings) -> dict[str, Any]:
    kafka = settings.kafka
    given = {
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": kafka.sasl_password.get_secret_value(),
    }
    return {
        **{name: value for name, value in given.items() if value},
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
        "client.id": "tidewatch-api",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": _LINGER_MS,
        "message.max.bytes": kafka.max_record_bytes,
        "message.timeout.ms": 0,  # never: see LogProducer
        # The collector bounds what waits; librdkafka's own bound only must not be the smaller one.
        "queue.buffering.max.kbytes": max(2 * settings.api.buffer_bytes // 1024, 65_536),
        "queue.buffering.max.messages": 1_000_000,
        # A broker that comes back is to be found at once, not after the defaults' backoff of up to 10 s.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 300,
        "retry.backoff.ms": 50,
        "retry.backoff.max.ms": 300,
        "socket.connection.setup.timeout.ms": 2000,
        "topic.metadata.refresh.fast.interval.ms": 100,
        "topic.metadata.propagation.max.ms": 3000,
        "allow.auto.create.topics": False,
        "compression.type": "lz4",
        "log_level": 2,  # errors come through the callback
    }
