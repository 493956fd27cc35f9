"""Records of a partition, buffered in keyed state and written to the outside in large pieces.

PyFlink's functions have no checkpoint hook, so nothing may wait in a Python list: what was read is in keyed state
until its write to the outside has ended, inside `process_element` or `on_timer`. A failed write is not waited for;
the records stay for the next timer, and only at a bound on their bytes does the operator push back.
"""

import gc
import logging
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor

from contracts.codec import Record
from contracts.times import clamp
from jobs.flink import BLOB
from jobs.once import DAYS, Remembered

logger = logging.getLogger(__name__)

_PLACE: Final = struct.Struct("<qqq")  # offset, event time, ingested; the payload follows
RETRY_SECONDS: Final = 1.0
Flush = Callable[[int, list[Record]], Iterator[Any]]


class WriteFailed(Exception):
    """The outside did not take a write; its records are kept and written again."""


@dataclass(frozen=True)
class Bounds:
    """When a partition's records are flushed: `seconds` after the first, or at `flush_bytes`, or else refused.

    Beyond `buffer_bytes` the operator reads no further until a write succeeds.
    """

    seconds: float
    flush_bytes: int
    buffer_bytes: int


class PartitionBuffer(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Buffers the records of each partition; a subclass says in `flush` what becomes of them.

    `partitions` maps Flink's keys to partitions.
    """

    def __init__(self, partitions: dict[int, int], bounds: Bounds) -> None:
        self._partitions = partitions
        self._bounds = bounds
        self._retry_at = 0.0  # a hint only, lost in a restart
        # When the timers are due that this process set, by key. Not in state: Flink takes a snapshot before it has
        # noted the timers that were set just before (PyFlink 2.2), so a restored key may lack one that state would
        # claim; it gets one with its next record, and ticks see to it that there is one.
        self._due: dict[int, int] = {}

    def flush(self, partition: int, records: list[Record]) -> Iterator[Any]:
        """Writes the records, which continue those of the call before, and yields what goes downstream.

        Called again with the same records, and more, after it raised WriteFailed: it must be idempotent, and yields
        only once its writes have ended.
        """
        raise NotImplementedError

    def relieve(self, partition: int, records: list[Record]) -> Iterator[Any]:
        """Like `flush`, and called in its place when `flush_bytes` are reached before the time is up."""
        return self.flush(partition, records)

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pending = runtime_context.get_list_state(ListStateDescriptor("pending", BLOB()))
        self._bytes = runtime_context.get_state(ValueStateDescriptor("bytes", Types.LONG()))  # of what is pending
        self._once = _remembered(runtime_context)
        gc.collect()
        gc.freeze()  # what is imported by now stays: the collector need not walk it at every turn

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        record = record_of(value)
        once = value[-1]
        if once and self._once.came_before(once.decode(errors="replace"), record.ingested):
            record = record._replace(payload=b"")
        if ctx.get_current_key() not in self._due:
            self._set_timer(ctx)
        self._pending.add(pack(record))
        size = (self._bytes.value() or 0) + len(record.payload) + _PLACE.size
        self._bytes.update(size)
        if size >= self._bounds.flush_bytes and time.monotonic() >= self._retry_at:
            yield from self.flush_now(ctx, self.relieve)
        while (self._bytes.value() or 0) >= self._bounds.buffer_bytes:  # push back
            time.sleep(RETRY_SECONDS)
            yield from self.flush_now(ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        key = ctx.get_current_key()
        if timestamp < self._due.get(key, timestamp):
            return  # set before a restart; one that was set since is to come
        self._due.pop(key, None)
        yield from self.flush_now(ctx)
        if self._bytes.value() or self.has_backlog():
            self._set_timer(ctx)

    def has_backlog(self) -> bool:
        """Whether something besides the buffered records still waits for a write, so that a timer must go on."""
        return False

    def flush_now(self, ctx: KeyedProcessFunction.Context, flush: Flush | None = None) -> Iterator[Any]:
        """Flushes the current key's records, by `flush` if given; on failure they stay. Leaves the timers alone."""
        partition = self._partitions[ctx.get_current_key()]
        records = [unpack(blob) for blob in self._pending.get()]
        try:
            results = list((flush or self.flush)(partition, records))
        except WriteFailed as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            logger.warning("partition %d: %d records wait: %s", partition, len(records), error)
            return
        self._pending.clear()
        self._bytes.clear()
        yield from results

    def _set_timer(self, ctx: KeyedProcessFunction.Context) -> None:
        timers = ctx.timer_service()
        due = timers.current_processing_time() + int(self._bounds.seconds * 1000)
        timers.register_processing_time_timer(due)
        self._due[ctx.get_current_key()] = due


def _remembered(runtime_context: RuntimeContext) -> Remembered:
    """By names of their own: what "once" held in savepoints of before expired by Flink's clock."""
    days = MapStateDescriptor("once-days", Types.LONG(), Types.LONG())
    keys = [MapStateDescriptor(f"once-{number}", Types.STRING(), Types.LONG()) for number in range(DAYS)]
    return Remembered(runtime_context.get_map_state(days), [runtime_context.get_map_state(one) for one in keys])


def record_of(row: Row) -> Record:
    """The record in a row of `jobs.flink.RECORD_FIELDS`."""
    payload, offset, event_time, ingested, _ = row
    return Record(offset, clamp(event_time.to_epoch_milli()), clamp(ingested.to_epoch_milli()), payload or b"")


def pack(record: Record) -> bytes:
    """The record as state holds it."""
    return _PLACE.pack(record.offset, record.event_time, record.ingested) + record.payload


def unpack(blob: bytes) -> Record:
    """The record that `pack` made into bytes."""
    offset, event_time, ingested = _PLACE.unpack_from(blob)
    return Record(offset, event_time, ingested, blob[_PLACE.size :])
