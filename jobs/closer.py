"""Closes minutes: partials of the series meet here by shard, and become bins once the watermark has passed.

A partial that comes late, up to `series_lateness_minutes`, sends its bins again with a higher revision; a later one is
counted in the metric `late_rows` and changes nothing here (it is in the aggregates, which know no lateness).
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.time_domain import TimeDomain

from analysis import arrow, series
from contracts.series import Bin, Message, Progress, encode
from contracts.settings import Jobs
from contracts.times import LATEST_MS, MINUTE_MS
from jobs.flink import BLOB

REVISION_MS: Final = 5000  # late partials are gathered this long before their bins are sent again
MESSAGES_A_RECORD: Final = 500  # below 1 MB, whatever the labels hold


class Partials(Protocol):
    """What a closer computes with, a module of `analysis`: tables of partials, `SLOT` the column of a bin's number."""

    @property
    def SLOT(self) -> str: ...  # noqa: N802  # a constant of the module

    def add(self, partials: list[pa.Table], /) -> pa.Table: ...
    def of_the_same(self, table: pa.Table, rows: pa.Table, /) -> pa.Table: ...
    def bins(self, table: pa.Table, /) -> list[Bin]: ...


class MinuteCloser(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes (shard, partial); yields (key, value) of records for topic `series`. A partial without rows only wakes."""

    partials: Partials = series

    def __init__(self, jobs: Jobs) -> None:
        self._shards = jobs.series_shards
        self._lateness = jobs.series_lateness_minutes * MINUTE_MS
        # Keys whose timers are all set. Not in state: a restored key may lack timers (see jobs/buffer.py), so the first
        # partial after a start sets those of whatever waits.
        self._awake: set[int] = set()

    def resolution(self, key: int) -> int:
        """Milliseconds of the bins that meet at this key."""
        return MINUTE_MS

    def progress(self, key: int, through: int) -> Progress:
        """That this key's bins are closed up to `through`, epoch milliseconds."""
        return Progress(key, self._shards, MINUTE_MS, through)

    def record_key(self, key: int) -> str:
        """Of the records for the topic."""
        return str(key)

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pending = runtime_context.get_list_state(ListStateDescriptor("pending", BLOB()))
        self._minutes = runtime_context.get_map_state(MapStateDescriptor("minutes", Types.LONG(), BLOB()))
        self._through = runtime_context.get_state(ValueStateDescriptor("through", Types.LONG()))  # closed up to, ms
        self._late = runtime_context.get_metrics_group().counter("late_rows")

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        partial = arrow.load(value[1])
        if partial.num_rows:
            self._pending.add(value[1])
        length = self.resolution(ctx.get_current_key())
        slots = self._slots_of(partial)
        if ctx.get_current_key() not in self._awake:
            self._awake.add(ctx.get_current_key())
            through = self._through.value() or 0
            slots |= self._waiting(through, length)
            # The next progress, which a key tells that never had a partial, too. A timer that is past fires with
            # the next watermark.
            ctx.timer_service().register_event_time_timer((through // length + 1) * length - 1)
        for slot in slots:
            _set_timer((slot + 1) * length - 1, ctx)
        return iter(())

    def _waiting(self, through: int, length: int) -> set[int]:
        """Slots that a restored state wants timers for: of what is pending, and those not closed."""
        pending: set[int] = set().union(*(self._slots_of(arrow.load(blob)) for blob in self._pending.get()))
        return {slot for slot in sorted(self._minutes.keys()) if (slot + 1) * length > through} | pending

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        through = self._through.value() or 0
        key = ctx.get_current_key()
        length = self.resolution(key)
        messages: list[Message] = self._fold(through, length)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            # At the end of an input that is drained the watermark lies beyond all times.
            reached = min(max(timestamp, ctx.timer_service().current_watermark()), LATEST_MS)
            now = (reached + 1) // length * length
            if now > through:
                messages += self._close(ctx, through, now, length)
                through = now
        self._through.update(through)
        for start in range(0, len(messages), MESSAGES_A_RECORD):
            yield Row(self.record_key(key), encode(messages[start : start + MESSAGES_A_RECORD]).decode())

    def _fold(self, through: int, length: int) -> list[Message]:
        """Adds what is pending to its slots; returns the bins that changed of those that were closed before."""
        added = self.partials.add([arrow.load(blob) for blob in self._pending.get()])
        self._pending.clear()
        revised: list[Message] = []
        numbers = added[self.partials.SLOT]
        for slot in pc.unique(numbers).to_pylist():
            rows = added.filter(pc.equal(numbers, slot))
            if (slot + 1) * length <= through - self._lateness:
                self._late.inc(rows.num_rows)
                continue
            before = self._minutes.get(slot)
            whole = self.partials.add([arrow.load(before), rows]) if before else rows
            self._minutes.put(slot, arrow.dump(whole))
            if (slot + 1) * length <= through:
                revised += self.partials.bins(self.partials.of_the_same(whole, rows))
        return revised

    def _close(self, ctx: KeyedProcessFunction.OnTimerContext, through: int, now: int, length: int) -> list[Message]:
        """The bins of [through, now) and the progress; forgets slots beyond lateness, looks again in a slot."""
        slots = sorted(self._minutes.keys())
        closed = [slot for slot in slots if through < (slot + 1) * length <= now]
        bins = self._bins(closed)
        for slot in slots:
            if (slot + 1) * length <= now - self._lateness:
                self._minutes.remove(slot)
        ctx.timer_service().register_event_time_timer(now + length - 1)
        return [*bins, self.progress(ctx.get_current_key(), now)]

    def _bins(self, slots: list[int]) -> list[Message]:
        tables: list[pa.Table] = [arrow.load(self._minutes.get(slot)) for slot in slots]
        return [bin_ for table in tables for bin_ in self.partials.bins(table)]

    def _slots_of(self, partial: pa.Table) -> set[int]:
        return set(pc.unique(partial[self.partials.SLOT]).to_pylist())


def _set_timer(end: int, ctx: KeyedProcessFunction.Context) -> None:
    """At `end`; soon, when the watermark has passed that."""
    timers = ctx.timer_service()
    if end > timers.current_watermark():
        timers.register_event_time_timer(end)
    else:
        now = timers.current_processing_time()
        timers.register_processing_time_timer((now // REVISION_MS + 1) * REVISION_MS)
