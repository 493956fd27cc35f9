"""Counts partitions block by block in keyed state: rows go to ClickHouse by the clock, partials to who closes bins.

Rows are written every few seconds for what changed, need no watermark, and come out the same however often they are
written. Under load much is read between two writes, so that what changes all the time does not become a row with each
piece. Partials go by Flink's event time: they leave before the watermark that closes their bins.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa
from pyflink.common import Row
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
from pyflink.datastream.time_domain import TimeDomain

from analysis import arrow
from analysis.blocks import Block
from contracts.codec import Record
from contracts.settings import Settings
from contracts.times import MINUTE_MS, clamp
from jobs.buffer import Bounds, PartitionBuffer, WriteFailed
from jobs.flink import BLOB, Source
from jobs.writer import Writer

logger = logging.getLogger(__name__)


class Counted(Protocol):
    """A block with what was counted of it; what records up to offset `written` added is in ClickHouse."""

    @property
    def block(self) -> Block: ...
    @property
    def written(self) -> int: ...
    def dump(self) -> bytes: ...


C = TypeVar("C", bound=Counted)


class BlockCounter(PartitionBuffer, Generic[C]):
    """A subclass says what a count is, how it is folded, kept and written; yields (key of the closer, partial)."""

    least_bin = MINUTE_MS  # milliseconds: the least that `shortest_bin` says

    def __init__(self, settings: Settings, source: Source, partitions: dict[int, int]) -> None:
        jobs = settings.jobs
        super().__init__(partitions, Bounds(jobs.aggregates_seconds, jobs.flush_bytes, jobs.buffer_bytes))
        self._settings = settings
        self._topic_id = source.topic_id
        # By key, and by the length of a slot, the last slot with a timer: saves setting it anew.
        self._timers: dict[int, dict[int, int]] = {}

    def shortest_bin(self, payload: bytes, event_time: int) -> int:
        """Milliseconds of the shortest bins that are closed and that the record with this payload may add to."""
        return MINUTE_MS

    def load(self, data: bytes) -> C:
        """The count that `dump` gave."""
        raise NotImplementedError

    def current(self) -> C | None:
        """The open block as state has it; None at the very beginning."""
        raise NotImplementedError

    def keep(self, current: C, before: C | None) -> None:
        """Puts the open block into state. `before`: what state holds, when folding is all that was done since."""
        raise NotImplementedError

    def fold(self, partition: int, count: C | None, records: list[Record]) -> tuple[list[C], Iterable[Any]]:
        """The blocks that were touched, all but the last of them closed, and what goes downstream.

        WriteFailed leaves everything as it was.
        """
        raise NotImplementedError

    def bytes_to_write(self, closed: Sequence[C], current: C) -> int:
        """Of all that was not yet written."""
        raise NotImplementedError

    def write(self, partition: int, counts: Sequence[C]) -> None:
        """Writes what was not yet written, rows before the list of blocks: a block that is listed says that all rows of
        the blocks before it are there. WriteFailed when it is not taken."""
        raise NotImplementedError

    def summed(self, current: C) -> C:
        """The same in the form in which it is kept once it is written."""
        return current

    def noted(self, current: C) -> C:
        """The same as one that is written."""
        raise NotImplementedError

    def wake(self) -> Iterable[Row]:
        """For each key of the closer a partial without rows."""
        raise NotImplementedError

    def open(self, runtime_context: RuntimeContext) -> None:
        self._open = runtime_context.get_state(ValueStateDescriptor("open", BLOB()))  # the block that goes on
        self._closed = runtime_context.get_list_state(ListStateDescriptor("closed", BLOB()))  # not yet written
        self._writer = Writer(self._settings)
        super().open(runtime_context)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        # A bin's partials must be on their way before the watermark that closes it: Flink fires this timer before it
        # hands the watermark on.
        time = clamp(value[2].to_epoch_milli())
        lengths = {self.shortest_bin(value[0] or b"", time)}
        key = ctx.get_current_key()
        if key not in self._timers:  # the first record since a start, a tick perhaps: the closers may lack timers, too
            self._timers[key] = {}
            lengths.add(self.least_bin)  # of what is pending, whose timers a restore may have lost
            yield from self.wake()
        for length in sorted(lengths):
            slot = time // length
            if self._timers[key].get(length) != slot:
                ctx.timer_service().register_event_time_timer((slot + 1) * length - 1)
                self._timers[key][length] = slot
        yield from super().process_element(value, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            # Writing is left to the timer of the clock: a replay passes thousands of minutes within seconds.
            yield from self.flush_now(ctx, self.relieve)
        else:
            yield from super().on_timer(timestamp, ctx)

    def flush(self, partition: int, records: list[Record]) -> Iterator[Row]:
        """Folds the records into the open block and tries to write; rows that are not taken stay in state.

        Raises WriteFailed only when closed blocks that wait are at the bound on bytes.
        """
        return self._take(partition, records, 0)

    def relieve(self, partition: int, records: list[Record]) -> Iterator[Row]:
        """Folds as `flush` does, and leaves writing to the timer of the clock unless much waits for it."""
        return self._take(partition, records, self._settings.jobs.unwritten_bytes)

    def has_backlog(self) -> bool:
        if any(True for _ in self._closed.get()):
            return True
        current = self.current()
        return current is not None and current.written < current.block.last

    def _take(self, partition: int, records: list[Record], least: int) -> Iterator[Row]:
        """Folds, and tries to write when at least so many bytes of rows wait."""
        waiting, before = self._waiting(partition), self.current()
        counts, results = self.fold(partition, before, records)
        if counts:
            *closed, current = counts
            if self.bytes_to_write([*waiting, *closed], current) >= least:
                before, current = None, self.summed(current)
                if self._wrote(partition, [*waiting, *closed, current]):
                    closed, current = [], self.noted(current)
            for count in closed:
                self._closed.add(count.dump())
            self.keep(current, before)
        yield from results

    def _wrote(self, partition: int, counts: list[C]) -> bool:
        try:
            self.write(partition, counts)
        except WriteFailed as error:
            logger.warning("partition %d: blocks wait: %s", partition, error)
            return False
        self._closed.clear()
        return True

    def _waiting(self, partition: int) -> list[C]:
        """The closed blocks that wait; beyond the bound they are written here, or no more are taken."""
        blobs = list(self._closed.get())
        waiting = [self.load(blob) for blob in blobs]
        if sum(map(len, blobs)) <= self._bounds.buffer_bytes:
            return waiting
        self.write(partition, waiting)
        self._closed.clear()
        return []


def partial_rows(partials: Mapping[int, pa.Table]) -> list[Row]:
    """(key of the closer, partial) of partials by key."""
    return [Row(key, arrow.dump(rows)) for key, rows in partials.items()]
