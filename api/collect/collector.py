"""Takes events, joins them to records, and knows when the broker holds them.

Lines that arrive within `linger_milliseconds` become one record a partition. One timer serves all partitions, so a
quiet collector sleeps. Bounds: `buffer_bytes` of what waits, and a breaker for each partition.
"""

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaException

from api import metrics
from api.collect.breaker import Breaker
from api.collect.disk import DiskGate, watch_disk
from api.collect.lane import LARGEST_BATCH_BYTES, Batch, Lane
from api.collect.load import LoadGate
from api.collect.producer import LogProducer, OutRecord
from api.problems import unavailable
from contracts.settings import Settings, Topic
from contracts.times import NO_TIME_MS

Clock = Callable[[], int]  # epoch milliseconds

_PROBE_SECONDS: Final = 0.2  # between looks at whether the broker is back
_PROBE_TIMEOUT: Final = 1.0
_TICK_SECONDS: Final = 1.0  # a live partition without events for so long is sent a tick
_WAKE_SECONDS: Final = 10.0  # and one of a stream that is not live, a tick that moves no time
_TICK_CHECK_SECONDS: Final = 0.25


class Collector:
    """Events into one topic. Used from the event loop's thread."""

    def __init__(self, settings: Settings, topic: Topic, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self._api = settings.api
        self._topic = topic
        self._clock = clock
        self._loop = loop
        self._producer = LogProducer(settings, topic, loop)
        self._lanes = [
            Lane(number, Breaker(self._api.breaker_seconds), last_sent=loop.time())
            for number in range(topic.partitions)
        ]
        self._linger = self._api.linger_milliseconds / 1000
        self._timer: asyncio.TimerHandle | None = None
        self._numbers = itertools.count()
        self._shown_bytes = metrics.BUFFERED_BYTES.labels(topic.name)
        self._shown_breakers = metrics.OPEN_BREAKERS.labels(topic.name)
        self._buffered = 0
        self._ending = False
        self.load = LoadGate(self._api.pending_tags)
        self._disk = DiskGate(self._api.shed_at, self._api.resume_at)
        self._tasks = [
            loop.create_task(self._probe_forever()),
            loop.create_task(self._tick_forever()),
            loop.create_task(watch_disk(self._disk, settings)),
            loop.create_task(self.load.watch()),
        ]

    @property
    def partitions(self) -> int:
        return len(self._lanes)

    def add(self, shard: int, line: bytes, time: int, now: int) -> asyncio.Future[None]:
        """Takes one event as a line of JSON; the future is done once the broker holds it.

        Events of equal `shard`, a number of 32 bits made of their key, keep their order.

        Raises Problem 503 at once while the breaker is open, or buffer or disk are full; the future raises it when the
        broker did not answer in time: then the event may have been written, or not.
        """
        lane = self._lanes[shard % len(self._lanes)]
        self._admit(lane, len(line))
        future = self._loop.create_future()
        batch = lane.batch
        batch.add(line, time, now, future)
        self._buffered += len(line) + 1
        if len(batch.lines) >= self._api.batch_lines or batch.size >= LARGEST_BATCH_BYTES:
            self._send_batch(lane)
        elif self._timer is None:
            self._timer = self._loop.call_later(self._linger, self._send_all)
        return future

    def add_record(self, record: OutRecord) -> asyncio.Future[None]:
        """Sends a whole record of its own; as `add` otherwise."""
        lane = self._lanes[record.partition]
        self._admit(lane, len(record.value))
        future = self._loop.create_future()
        self._buffered += len(record.value)
        self._send(lane, record, [future], len(record.value))
        return future

    @property
    def disk_reason(self) -> str | None:
        """Why the disk's state keeps events from being taken, None when it does not."""
        return self._disk.reason

    def check(self) -> str | None:
        """What keeps events from being taken, None when nothing does. Blocks up to 2 s: call it from another thread."""
        try:
            missing = self._producer.missing_partitions(timeout=2.0)
        except KafkaException as error:
            return f"no broker answers: {error.args[0].str()}"
        return "; ".join(missing.values()) or None

    def drain(self, seconds: float) -> None:
        """The process is to end: what waits is sent at once, and given up when the broker takes over `seconds`."""
        self._send_all()
        self._loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._ending = True
        self._producer.give_up()

    async def close(self, timeout: float) -> None:
        """Sends what waits and waits, `timeout` seconds at most, until the broker holds it."""
        for task in self._tasks:
            task.cancel()
        self._send_all()
        await self._loop.run_in_executor(None, self._producer.close, timeout)
        await asyncio.sleep(0)  # lets the last acknowledgements, already handed to the loop, reach their requests

    def _admit(self, lane: Lane, size: int) -> None:
        if self._ending:
            raise unavailable("the collector is shutting down")
        self._disk.admit()
        if lane.breaker.is_open(self._loop.time()):
            raise unavailable("the broker does not acknowledge: events are refused until it does")
        if self._buffered + size > self._api.buffer_bytes:
            raise unavailable("too many events wait for the broker: send again later")

    def _send_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for lane in self._lanes:
            if lane.batch.lines:
                self._send_batch(lane)
        self._shown_bytes.set(self._buffered)

    def _send_batch(self, lane: Lane) -> None:
        batch: Batch = lane.take()
        self._send(lane, batch.record(lane.partition), batch.waiting, batch.size)

    def _send(self, lane: Lane, record: OutRecord, waiting: list[asyncio.Future[None]], size: int) -> None:
        number, sent = next(self._numbers), self._loop.time()
        lane.breaker.sent(number, sent)
        lane.last_sent = sent

        def done(error: str | None) -> None:
            now = self._loop.time()
            lane.breaker.settled(number, error is None, now)
            self._buffered -= size
            _report(record.rows, error, now - sent)
            _settle(waiting, error)

        self._producer.send(record, done)

    async def _probe_forever(self) -> None:
        """Closes breakers by itself: events are refused, so none would tell that the broker is back."""
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            now = self._loop.time()
            refusing = [lane for lane in self._lanes if lane.breaker.is_open(now)]
            self._shown_breakers.set(len(refusing))
            self._shown_bytes.set(self._buffered)
            if refusing:
                await self._probe(refusing)

    async def _probe(self, refusing: list[Lane]) -> None:
        look = self._producer.missing_partitions
        try:
            missing = await self._loop.run_in_executor(None, look, _PROBE_TIMEOUT)
        except KafkaException:
            return
        for lane in refusing:
            if lane.partition not in missing:
                lane.breaker.answered(self._loop.time())

    async def _tick_forever(self) -> None:
        """Sends empty records to quiet partitions: on a live stream, downstream time goes on without events.

        On any stream a job that was restored is woken by them: what waits in its state is flushed without new events.
        """
        quiet = _TICK_SECONDS if self._topic.live else _WAKE_SECONDS
        while True:
            await asyncio.sleep(_TICK_CHECK_SECONDS)
            now = self._loop.time()
            for lane in self._lanes:
                if now - lane.last_sent >= quiet and not lane.breaker.is_open(now):
                    clock = self._clock()
                    event_time = clock if self._topic.live else NO_TIME_MS
                    self._send(lane, OutRecord(lane.partition, b"", event_time, clock, 0), [], 0)


def _report(rows: int, error: str | None, seconds: float) -> None:
    if error is not None:
        metrics.DELIVERY_FAILURES.labels(error).inc()
        return
    metrics.DELIVERY.observe(seconds)
    if rows:
        metrics.BATCH_ROWS.observe(rows)
        metrics.ACCEPTED.inc(rows)


def _settle(waiting: list[asyncio.Future[None]], error: str | None) -> None:
    for future in waiting:
        if future.done():  # its request was cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(unavailable(f"the broker did not acknowledge, the event may be lost: {error}"))
