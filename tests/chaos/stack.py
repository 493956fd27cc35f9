"""The processes of a running stack, as faults aim at them, and what an operator's init system does for it."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from cli import supervision
from contracts.settings import CONFIG_VARIABLE, PREFIX, Settings
from infra.embedded import instance
from infra.embedded.launch import tied
from testbed.faults import API_WORKER, EVERYTHING, PYTHON_WORKER, SUPERVISOR

WATCH_SECONDS: Final = 0.2
RESTART_SECONDS: Final = 0.1  # before `up` is called again: systemd's default
STOP_SECONDS: Final = 30.0
WORKER: Final = "pyflink.fn_execution"  # the module that a worker of Flink runs
PROFILES: Final = "data.mdb"  # the file of the profile store


class Stack:
    """One state folder's stack. Use it from the main thread, with whose end its processes die."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ups = 0  # how often `up` was called
        self._up: subprocess.Popen[bytes] | None = None

    async def keep_up(self) -> None:
        """Runs `tidewatch up --foreground`, and again whenever there is no supervisor: all that is done by hand, as it
        were, after the supervisor was killed. Ends when cancelled."""
        while True:
            if instance.find(self.settings) is None and (self._up is None or self._up.poll() is not None):
                await asyncio.sleep(RESTART_SECONDS if self.ups else 0)
                self._up = self._start()
                self.ups += 1
            await asyncio.sleep(WATCH_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        home = str(self.settings.home.absolute())
        environment = {**kept, "PYTHONPATH": home, CONFIG_VARIABLE: str(instance.write_settings(self.settings))}
        log = self.settings.state_path / "logs" / "up.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as output:
            return subprocess.Popen(  # noqa: S603  # the platform's own command
                tied([sys.executable, "-m", "cli", "up", "--foreground"]),
                env=environment,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def stop(self) -> None:
        """In order; nothing runs afterwards. Cancel `keep_up` before."""
        supervision.stop(self.settings)
        if self._up is not None:
            self._up.wait(STOP_SECONDS)

    def is_ready(self) -> bool:
        """What the supervisor says now."""
        return bool((supervision.ask(self.settings) or {}).get("ready"))

    def processes(self, target: str) -> list[psutil.Process]:
        """Those of a fault's target, the leader first; empty while there is none, as after another fault."""
        with suppress(psutil.NoSuchProcess):
            running = instance.find(self.settings)
            if running is None:
                return []
            supervisor = psutil.Process(running.pid)
            if target == SUPERVISOR:
                return [supervisor]
            if target == EVERYTHING:
                up = [psutil.Process(self._up.pid)] if self._up is not None and self._up.poll() is None else []
                return [*up, supervisor, *supervisor.children(recursive=True)]
            return self._of_part(target)
        return []

    def _of_part(self, target: str) -> list[psutil.Process]:
        """A part with all it started, or one worker: of Python's one that writes profiles, as others wait for it."""
        if target == PYTHON_WORKER:
            workers = [one for one in self._tree("flink-taskmanager")[1:] if WORKER in " ".join(one.cmdline())]
            writers = [one for one in workers if any(Path(file.path).name == PROFILES for file in one.open_files())]
            return (writers or workers)[-1:]
        if target == API_WORKER:
            return self._tree("api")[1:2]
        return self._tree(target)

    def _tree(self, part: str) -> list[psutil.Process]:
        """The part's own process first."""
        state: dict[str, Any] = supervision.ask(self.settings) or {"links": []}
        pid = next((link["pid"] for link in state["links"] if link["name"] == part), None)
        if pid is None:
            return []
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL to each."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


async def pause(processes: list[psutil.Process], seconds: float) -> None:
    """SIGSTOP to each, and SIGCONT after so long to those that are still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def is_gone(process: psutil.Process) -> bool:
    """Whether a killed process has ended, reaped or not."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
