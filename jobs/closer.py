"""Closes minutes: partials of the series meet here by shard, and become bins once the watermark has passed.

A partial that comes late, up to `series_lateness_minutes`, sends its bins again with a higher revision; a later one is
counted in the metric `late_rows` and changes nothing here (it is in the aggregates, which know no lateness).
"""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.time_domain import TimeDomain

from analysis import arrow, series
from contracts.series import Message, Progress, encode
from contracts.settings import Jobs
from contracts.times import LATEST_MS, MINUTE_MS
from jobs.flink import BLOB

REVISION_MS: Final = 5000  # late partials are gathered this long before their bins are sent again
MESSAGES_A_RECORD: Final = 500  # below 1 MB, whatever the labels hold


class MinuteCloser(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink is untyped here
    """Takes (shard, partial); yields (key, value) of records for topic `series`. A partial without rows only wakes."""

    def __init__(self, jobs: Jobs) -> None:
        self._shards = jobs.series_shards
        self._lateness = jobs.series_lateness_minutes * MINUTE_MS
        # Keys whose timers are all set. Not in state: a restored key may lack timers (see jobs/buffer.py), so the first
        # partial after a start sets those of whatever waits.
        self._awake: set[int] = set()

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pending = runtime_context.get_list_state(ListStateDescriptor("pending", BLOB()))
        self._minutes = runtime_context.get_map_state(MapStateDescriptor("minutes", Types.LONG(), BLOB()))
        self._through = runtime_context.get_state(ValueStateDescriptor("through", Types.LONG()))  # closed up to, ms
        self._late = runtime_context.get_metrics_group().counter("late_rows")

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        partial = arrow.load(value[1])
        if partial.num_rows:
            self._pending.add(value[1])
        minutes = _minutes_of(partial)
        if ctx.get_current_key() not in self._awake:
            self._awake.add(ctx.get_current_key())
            minutes |= self._waiting()
        for minute in minutes:
            _set_timer(minute, ctx)
        return iter(())

    def _waiting(self) -> set[int]:
        """Minutes that a restored state wants timers for: of what is pending, those not closed, the next progress."""
        through = self._through.value() or 0
        pending: set[int] = set().union(*(_minutes_of(arrow.load(blob)) for blob in self._pending.get()))
        held = sorted(self._minutes.keys())
        following = {through // MINUTE_MS} if through else set()
        return {minute for minute in held if (minute + 1) * MINUTE_MS > through} | pending | following

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        through = self._through.value() or 0
        messages: list[Message] = self._fold(through)
        if ctx.time_domain() == TimeDomain.EVENT_TIME:
            # At the end of an input that is drained the watermark lies beyond all times.
            reached = min(max(timestamp, ctx.timer_service().current_watermark()), LATEST_MS)
            now = (reached + 1) // MINUTE_MS * MINUTE_MS
            if now > through:
                messages += self._close(ctx, through, now)
                through = now
        self._through.update(through)
        for start in range(0, len(messages), MESSAGES_A_RECORD):
            yield Row(str(ctx.get_current_key()), encode(messages[start : start + MESSAGES_A_RECORD]).decode())

    def _fold(self, through: int) -> list[Message]:
        """Adds what is pending to its minutes; returns the bins that changed of those that were closed before."""
        added = series.add([arrow.load(blob) for blob in self._pending.get()])
        self._pending.clear()
        revised: list[Message] = []
        for minute in pc.unique(added["minute"]).to_pylist():
            rows = added.filter(pc.equal(added["minute"], minute))
            if (minute + 1) * MINUTE_MS <= through - self._lateness:
                self._late.inc(rows.num_rows)
                continue
            before = self._minutes.get(minute)
            whole = series.add([arrow.load(before), rows]) if before else rows
            self._minutes.put(minute, arrow.dump(whole))
            if (minute + 1) * MINUTE_MS <= through:
                revised += series.bins(series.of_the_same(whole, rows))
        return revised

    def _close(self, ctx: KeyedProcessFunction.OnTimerContext, through: int, now: int) -> list[Message]:
        """The bins of [through, now) and the progress; forgets minutes beyond lateness, looks again in a minute."""
        minutes = sorted(self._minutes.keys())
        closed = [minute for minute in minutes if through < (minute + 1) * MINUTE_MS <= now]
        bins = self._bins(closed)
        for minute in minutes:
            if (minute + 1) * MINUTE_MS <= now - self._lateness:
                self._minutes.remove(minute)
        ctx.timer_service().register_event_time_timer(now + MINUTE_MS - 1)
        return [*bins, Progress(ctx.get_current_key(), self._shards, MINUTE_MS, now)]

    def _bins(self, minutes: list[int]) -> list[Message]:
        tables: list[pa.Table] = [arrow.load(self._minutes.get(minute)) for minute in minutes]
        return [bin_ for table in tables for bin_ in series.bins(table)]


def _minutes_of(partial: pa.Table) -> set[int]:
    return set(pc.unique(partial["minute"]).to_pylist())


def _set_timer(minute: int, ctx: KeyedProcessFunction.Context) -> None:
    """At the minute's end; soon, when the watermark has passed that."""
    timers = ctx.timer_service()
    end = (minute + 1) * MINUTE_MS - 1
    if end > timers.current_watermark():
        timers.register_event_time_timer(end)
    else:
        now = timers.current_processing_time()
        timers.register_processing_time_timer((now // REVISION_MS + 1) * REVISION_MS)
