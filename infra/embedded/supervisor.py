"""Keeps the parts alive and the steps done, and tells how they are."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import psutil
import structlog

from contracts.settings import Settings
from infra.embedded import endpoints, guard, instance
from infra.embedded.child import Child, end_group
from infra.embedded.guard import guarded
from infra.embedded.lag import Behind, Lag
from infra.embedded.priority import Priorities
from infra.embedded.steps import Step
from infra.embedded.watched import Watched

TICK_SECONDS: Final = 0.1
MEASURE_SECONDS: Final = 5.0
KAFKA: Final = "kafka"

log = structlog.get_logger()


class Supervisor:
    """Runs the given parts and steps, in one process of its own.

    `parts` are started in their order, as soon as what they need is there, and stopped in groups: `stop_order` holds
    names, those of a group are stopped side by side.
    """

    def __init__(
        self, settings: Settings, parts: Sequence[Watched], steps: Sequence[Step], stop_order: Sequence[Sequence[str]]
    ) -> None:
        self._settings, self._parts, self._steps, self._stop_order = settings, parts, steps, stop_order
        self._links: dict[str, Watched | Step] = {part.name: part for part in parts}
        self._links.update({step.name: step for step in steps})
        self._stopping = threading.Event()
        self._behind: dict[str, Behind] = {}
        self._began = time.monotonic()
        self._priorities = Priorities(settings.supervisor.nice)

    def stop(self) -> None:
        """Makes `run` end, from any thread or signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Blocks until `stop`, SIGTERM or SIGINT; then no process of it is left. Call it in the main thread.

        instance.Busy when the state folder has a supervisor.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        with instance.hold(self._settings), guarded(self._settings):
            server = endpoints.serve(self._settings.host, self._settings.supervisor.port, self.state)
            log.info("supervisor started", pid=os.getpid(), state_dir=str(self._settings.state_path))
            threads = self._start_threads()
            try:
                while not self._stopping.wait(TICK_SECONDS):
                    self._tick()
            finally:
                self._stopping.set()
                self._stop_parts()
                self._end_helpers()
                for thread in threads:
                    thread.join(TICK_SECONDS)
                server.shutdown()
                server.server_close()
                log.info("supervisor stopped")

    def state(self) -> dict[str, Any]:
        """For /status: `ready`, `pid`, `uptime_seconds`, `lag` (records) and `freshness` (seconds) by pipeline, and
        of each of the `links` its name, kind (part, step, outside), readiness and reason; of a part also pid, ports,
        version, memory, uptime, restarts.
        """
        links = [*map(self._describe_part, self._parts), *map(_describe_step, self._steps)]
        return {
            "ready": all(link["ready"] for link in links),
            "pid": os.getpid(),
            "uptime_seconds": round(time.monotonic() - self._began, 1),
            "links": links,
            "lag": {name: one.records for name, one in self._behind.items()},
            "freshness": {name: round(one.seconds, 1) for name, one in self._behind.items()},
        }

    def _tick(self) -> None:
        changed = False
        for part in self._parts:
            event = part.tick(self._blocked(part.needs), time.monotonic())
            if event is not None:
                changed = True
                log.info(event, part=part.name)
        running = [part.child for part in self._parts if part.child is not None]
        self._priorities.apply(running, ready=all(link.reason is None for link in self._links.values()))
        if changed:
            children = {part.name: part.child.pid for part in self._parts if part.child is not None}
            try:
                instance.note_children(self._settings, children)
            except OSError as error:  # a full disk is no reason to stop everything
                log.error("cannot note the children", error=str(error))

    def _blocked(self, needs: Sequence[str]) -> str | None:
        return next((name for name in needs if self._links[name].reason is not None), None)

    def _start_threads(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=part.watch, args=[self._stopping], daemon=True) for part in self._parts]
        for step in self._steps:
            work = [lambda step=step: self._blocked(step.needs), self._stopping, self._report]
            threads.append(threading.Thread(target=step.work, args=work, daemon=True))
        threads.append(threading.Thread(target=self._measure, daemon=True))
        for thread in threads:
            thread.start()
        return threads

    def _report(self, step: str, event: str) -> None:
        log.info(event, step=step)

    def _measure(self) -> None:
        """What costs too much to find out for each question."""
        lag = Lag(self._settings)
        while not self._stopping.is_set():
            self._behind = lag.ask() if self._links[KAFKA].reason is None else {}
            for part in self._parts:
                part.measure()
            self._stopping.wait(MEASURE_SECONDS)

    def _stop_parts(self) -> None:
        running = {part.name: part.child for part in self._parts if part.child is not None}
        for group in self._stop_order:
            children = [running.pop(name) for name in group if name in running]
            stoppers = [threading.Thread(target=self._stop_part, args=[child]) for child in children]
            for stopper in stoppers:
                stopper.start()
            for stopper in stoppers:
                stopper.join()
        for child in running.values():
            self._stop_part(child)

    def _end_helpers(self) -> None:
        """What the steps started and cannot finish any more, such as a submission to Flink."""
        for process in psutil.Process().children():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                group = os.getpgid(process.pid)
                if group == process.pid and not _is_guard(process):
                    end_group(group)

    def _stop_part(self, child: Child) -> None:
        orderly = child.stop(self._settings.supervisor.stop_timeout_seconds)
        log.info("stopped" if orderly else "killed: it did not stop in time", part=child.part.name)

    def _describe_part(self, part: Watched) -> dict[str, Any]:
        child = part.child
        return {
            "name": part.name,
            "kind": "part" if part.owned else "outside",
            "ready": part.reason is None,
            "reason": part.reason,
            "pid": child.pid if child else None,
            "ports": list(part.part.ports().values()),
            "version": part.part.version() if part.owned else None,
            "resident_bytes": part.resident_bytes,
            "uptime_seconds": round(time.monotonic() - child.started, 1) if child else None,
            "restarts": part.restarts,
        }


def _is_guard(process: psutil.Process) -> bool:
    return guard.__name__ in process.cmdline()


def _describe_step(step: Step) -> dict[str, Any]:
    return {"name": step.name, "kind": "step", "ready": step.reason is None, "reason": step.reason}
