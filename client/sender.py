"""The thread that sends: batches, waits after failures, and tells how many points became what."""

import atexit
import random
import threading
import time
from collections import deque
from typing import Final

from client.batch import POINTS, Batch, empty, fill
from client.spill import Spill
from client.transport import Transport

INTERVAL_SECONDS: Final = 1.0  # points wait for others so long
FIRST_WAIT_SECONDS: Final = 0.5  # after a failure, doubled with each further one
LONGEST_WAIT_SECONDS: Final = 30.0
SPILL_AFTER: Final = 3  # failures in a row


class Sender:
    """`put` from any thread; everything else happens in its own, a daemon."""

    def __init__(self, transport: Transport, capacity: int, spill: Spill | None) -> None:
        self._transport = transport
        self._capacity = capacity
        self._spill = spill
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._ending = threading.Lock()
        self._ended = False
        self._failures = 0
        self._told = 0.0  # seconds that the platform asked to wait for
        self._batch: Batch | None = None  # no longer among the lines; it stays as it is until it was sent or kept
        self.sent = self.refused = self.dropped = 0

    def anew(self) -> "Sender":
        """An empty one for a forked child; the folder stays the parent's."""
        return Sender(self._transport, self._capacity, None)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="tidewatch-client", daemon=True)
        self._thread.start()
        atexit.register(self.close, 2.0)

    def put(self, line: bytes) -> None:
        """Never waits; beyond the capacity the line is dropped."""
        if self._held >= self._capacity:
            self.dropped += 1
            return
        self._lines.append(line)
        if len(self._lines) >= POINTS:
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Whether all has left within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self._held and time.monotonic() < deadline:
            self._wake.set()
            time.sleep(0.005)
        return not self._held

    def close(self, timeout: float) -> None:
        """Called twice it does nothing."""
        if self._closing.is_set():
            return
        self.flush(timeout)
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout)
        self._end()  # its thread may be in a call that hangs: what that sends may be kept all the same, it has its key
        atexit.unregister(self.close)

    @property
    def _held(self) -> int:
        waiting, batch = len(self._lines), self._batch  # in this order: lines go from the one to the other
        return waiting + (len(batch.lines) if batch else 0)

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._failures:
                self._closing.wait(self._pause())  # whatever else comes meanwhile
            else:
                self._wake.wait(INTERVAL_SECONDS)
            self._wake.clear()
            self._send_all()
        self._end()

    def _end(self) -> None:
        """What is left goes to the folder, or is counted."""
        with self._ending:
            if not self._ended:
                self._ended = True
                self._spill_all()
                self.dropped += self._held

    def _pause(self) -> float:
        """Full jitter, so that many clients do not come back at once."""
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._failures, 10))
        return max(self._told, random.uniform(FIRST_WAIT_SECONDS / 2, longest))  # noqa: S311  # no secret

    def _send_all(self) -> None:
        """What is in the folder first; ends at the first failure."""
        if self._send_kept():
            self._send_held()
        if self._failures >= SPILL_AFTER:
            self._spill_all()

    def _send_kept(self) -> bool:
        """Whether the folder is empty now."""
        while self._spill is not None and (kept := self._spill.oldest()):
            if self._closing.is_set() or not self._send(kept):
                return False
            self._spill.forget(kept)
        return True

    def _send_held(self) -> None:
        while not self._closing.is_set() and (batch := self._next()):
            if not self._send(batch):
                return
            self._batch = None

    def _next(self) -> Batch | None:
        """The batch that could not be sent the last time, or the next one; None when nothing waits."""
        if self._batch is None and self._lines:
            self._batch = empty()
            fill(self._batch, self._lines)
        return self._batch

    def _send(self, batch: Batch) -> bool:
        outcome = self._transport.send(batch)
        if outcome.again:
            self._failures += 1
            self._told = min(outcome.wait, LONGEST_WAIT_SECONDS)
            return False
        self._failures = 0
        self.sent += outcome.taken
        self.refused += outcome.refused
        return True

    def _spill_all(self) -> None:
        """What the folder does not take stays."""
        while self._spill is not None and (batch := self._next()):
            if not self._spill.keep(batch):
                return
            self._batch = None
