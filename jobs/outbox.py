"""Rows on their way to a table that nobody waits for: in keyed state until ClickHouse has them.

A thread writes, so that not even an attempt that takes its whole time holds up an operator. What was written leaves the
state at the next turn; written again after a restart, it changes nothing. Beyond a bound the oldest rows are dropped,
and counted in the metric `dropped_rows`.
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from analysis import arrow
from contracts.settings import Settings
from jobs.buffer import WriteFailed
from jobs.flink import BLOB
from jobs.writer import Writer

WRITE_BYTES: Final = 8_388_608  # at once
LONGEST_PAUSE: Final = 15.0  # seconds, between attempts that fail
logger = logging.getLogger(__name__)


class Waiting(NamedTuple):
    """Rows in state: their number there and in the table, and their bytes."""

    number: int
    rows: int
    size: int


class Attempt(NamedTuple):
    """A write under way."""

    waiting: list[Waiting]
    done: "Future[None]"


class Outbox:
    """Of one table. All but `open` are called with a current key, within `process_element` or `on_timer`."""

    def __init__(self, settings: Settings, table: str, most: int) -> None:
        """`most`: bytes that may wait, a key."""
        self._settings, self._table, self._most = settings, table, most
        self._waiting: dict[Any, list[Waiting]] = {}  # by key, what state holds: saves reading it all at each turn
        self._attempts: dict[Any, Attempt] = {}
        self._failures = 0
        self._told = False  # of rows that are dropped, once an outage
        self._not_before = 0.0  # of the monotonic clock

    def open(self, runtime_context: RuntimeContext) -> None:
        self._state = runtime_context.get_map_state(MapStateDescriptor("unwritten", Types.LONG(), BLOB()))
        self._dropped = runtime_context.get_metrics_group().counter("dropped_rows")
        self._writer = Writer(self._settings)
        self._thread = ThreadPoolExecutor(1, "outbox")

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def put(self, key: Any, rows: pa.Table) -> None:
        """Takes rows in; drops the oldest that wait where there are too many."""
        waiting = self._of(key)
        data = arrow.dump(rows)
        number = waiting[-1].number + 1 if waiting else 0
        self._state.put(number, data)
        waiting.append(Waiting(number, rows.num_rows, len(data)))
        while len(waiting) > 1 and sum(one.size for one in waiting) > self._most:
            self._drop(waiting.pop(0))

    def turn(self, key: Any) -> None:
        """Removes what was written since the last turn, and lets the next be written."""
        attempt = self._attempts.get(key)
        if attempt is not None:
            if not attempt.done.done():
                return
            del self._attempts[key]
            self._end(key, attempt)
        waiting = self._of(key)
        if waiting and time.monotonic() >= self._not_before:
            some = _first(waiting)
            tables = [self._state.get(one.number) for one in some]
            self._attempts[key] = Attempt(some, self._thread.submit(self._write, tables))

    def _drop(self, oldest: Waiting) -> None:
        self._state.remove(oldest.number)
        self._dropped.inc(oldest.rows)
        if not self._told:
            logger.warning("rows of %s are dropped: more than %d bytes wait", self._table, self._most)
        self._told = True

    def _end(self, key: Any, attempt: Attempt) -> None:
        try:
            attempt.done.result()
        except WriteFailed as error:
            self._failures += 1
            pause = min(2.0**self._failures, LONGEST_PAUSE)
            self._not_before = time.monotonic() + pause
            logger.warning("rows of %s wait: %s", self._table, error)
            return
        self._failures, self._told = 0, False
        written = {one.number for one in attempt.waiting}
        for one in self._of(key):
            if one.number in written:
                self._state.remove(one.number)
        self._waiting[key] = [one for one in self._of(key) if one.number not in written]

    def _write(self, tables: list[bytes]) -> None:
        """In the thread."""
        self._writer.insert(self._table, pa.concat_tables(arrow.load(data) for data in tables))

    def _of(self, key: Any) -> list[Waiting]:
        if key not in self._waiting:
            found = [Waiting(number, arrow.load(data).num_rows, len(data)) for number, data in self._state.items()]
            self._waiting[key] = sorted(found)
        return self._waiting[key]


def _first(waiting: list[Waiting]) -> list[Waiting]:
    """The oldest, as many as are written at once."""
    some, size = [waiting[0]], waiting[0].size
    for one in waiting[1:]:
        size += one.size
        if size > WRITE_BYTES:
            break
        some.append(one)
    return some
