"""A part under supervision: started when what it needs is there, watched, and started again when it died."""

import threading
import time
from contextlib import suppress
from typing import Final

import psutil

from infra.embedded.child import Child, rotate
from infra.embedded.part import Part, PartError
from infra.embedded.ports import refuse_taken

FIRST_BACKOFF: Final = 0.5  # seconds; doubled with each death in a row
LONGEST_BACKOFF: Final = 30.0
HEALTHY_AFTER: Final = 60.0  # seconds of life after which a death counts as the first
ASK_UNREADY: Final = 0.4  # seconds between two health checks
ASK_READY: Final = 2.0


class Watched:
    """`tick` drives it, from one thread; `reason` and the figures may be read from any.

    `needs` are names of other links; `owned` is False for a part that runs elsewhere and is only asked for its health.
    """

    def __init__(self, part: Part, needs: tuple[str, ...] = (), *, owned: bool = True) -> None:
        self.part, self.needs, self.owned = part, needs, owned
        self.name = part.name
        self.child: Child | None = None
        self.restarts = 0
        self.resident_bytes = 0  # of the process and all it started, when last measured
        self.reason: str | None = "not started" if owned else "not asked yet"
        self._deaths = 0  # in a row
        self._start_at = 0.0
        self._last_death = ""

    def tick(self, blocked: str | None, now: float) -> str | None:
        """Reaps and starts; returns what happened, for the log. `blocked` names a need that is missing."""
        if not self.owned:
            return None
        if self.child is not None:
            return self._reap(self.child, now)
        if blocked is not None:
            self.reason = f"waiting for {blocked}"
            return None
        return self._start() if now >= self._start_at else None

    def _start(self) -> str | None:
        try:
            refuse_taken(self.part.settings.host, [self.part])
            self.child = Child(self.part)
        except (PartError, OSError) as error:
            return self._died(str(error), time.monotonic())
        self.reason = f"starting{self._last_death}"
        return f"started, pid {self.child.pid}"

    def _reap(self, child: Child, now: float) -> str | None:
        code = child.exit_code()
        if code is None:
            return None
        child.kill()  # what it started must not meet its successor
        self.child = None
        if now - child.started > HEALTHY_AFTER:
            self._deaths = 0
        return self._died(f"ended with status {code}", now)

    def _died(self, why: str, now: float) -> str:
        delay = min(FIRST_BACKOFF * 2**self._deaths, LONGEST_BACKOFF)
        self._deaths += 1
        self.restarts += 1
        self._start_at = now + delay
        self._last_death = f" (before: {why})"
        self.reason = f"{why}; starts again in {delay:.1f} s"
        return self.reason

    def watch(self, stopping: threading.Event) -> None:
        """Asks for its health until `stopping`; run it in a thread."""
        while not stopping.wait(ASK_READY if self.reason is None else ASK_UNREADY):
            child = self.child
            if child is None and self.owned:
                continue
            try:
                reason = self.part.ready()
            except Exception as error:  # noqa: BLE001  # a defect of a check must not end the checking
                reason = f"its health check failed: {error!r}"
            if self.child is child:  # the answer is about the process that runs now
                self.reason = reason

    def measure(self) -> None:
        """Renews `resident_bytes`, and keeps the log small."""
        with suppress(OSError):
            rotate(self.part.log)
        child = self.child
        self.resident_bytes = 0
        if child is not None:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(child.pid)
                self.resident_bytes = sum(map(_resident, [process, *process.children(recursive=True)]))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
