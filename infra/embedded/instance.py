"""One supervisor a state folder: its lock, what it notes about itself and its children, and cleaning up after it.

The lock is the operating system's, so it ends with its holder, however that ends. Pids are noted with the time at
which the process started: a number alone may be another's by now.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from contracts.settings import Settings
from contracts.settings_text import dump
from infra.embedded.child import end_group


class Busy(Exception):
    """Another supervisor holds this state folder."""


class Running(NamedTuple):
    """A process, by pid and its start (epoch seconds, as psutil gives it)."""

    pid: int
    started: float

    def lives(self) -> bool:
        """False also when the pid is another process's by now."""
        with suppress(psutil.NoSuchProcess):
            return self.is_known() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    def is_known(self) -> bool:
        """Whether the pid is still this process's, be it dead and not yet reaped."""
        with suppress(psutil.NoSuchProcess):
            return abs(psutil.Process(self.pid).create_time() - self.started) < 1.0
        return False


def this_process(pid: int) -> Running:
    return Running(pid, psutil.Process(pid).create_time())


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Makes this process the supervisor of the state folder, for as long as the block runs; Busy when there is one.

    First ends what a supervisor that was killed may have left running.
    """
    folder = settings.state_path
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "supervisor.lock", "a") as lock:
        if not _lock(lock.fileno()):
            raise Busy(f"a supervisor runs on {folder} already")
        end_leftovers(folder)
        _write(folder / "supervisor.json", this_process(os.getpid()))
        write_settings(settings)
        yield
        (folder / "supervisor.json").unlink(missing_ok=True)
        (folder / "children.json").unlink(missing_ok=True)


def find(settings: Settings) -> Running | None:
    """The supervisor of the state folder, if it runs."""
    with suppress(FileNotFoundError, ValueError, TypeError):
        running = Running(*json.loads((settings.state_path / "supervisor.json").read_text()))
        return running if running.lives() else None
    return None


def note_children(settings: Settings, children: dict[str, int]) -> None:
    """Leaders of the process groups that run now, by part."""
    noted = {}
    for name, pid in children.items():
        with suppress(psutil.NoSuchProcess):
            noted[name] = this_process(pid)
    _write(settings.state_path / "children.json", noted)


def end_leftovers(folder: Path) -> list[str]:
    """Kills what is left of the process groups noted in a state folder; returns the parts that were still there."""
    path = folder / "children.json"
    ended = []
    with suppress(FileNotFoundError, ValueError):
        for name, (pid, started) in json.loads(path.read_text()).items():
            # A pid stays taken while its group has members: no leader by that pid means that they are ours, unless the
            # machine has started anew since.
            orphaned = not psutil.pid_exists(pid) and started >= psutil.boot_time()
            if (Running(pid, started).is_known() or orphaned) and end_group(pid):
                ended.append(name)
        path.unlink(missing_ok=True)
    return ended


def settings_file(settings: Settings) -> Path:
    """Where a supervisor and its children read their settings."""
    return settings.state_path / "supervisor.yaml"


def write_settings(settings: Settings) -> Path:
    """Writes `settings_file`, secrets in clear, readable by the owner alone; returns it."""
    path = settings_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    absolute = settings.model_copy(update={"home": settings.home.absolute()})
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(dump(absolute))
    beside.replace(path)
    return path


def _write(path: Path, content: object) -> None:
    """As a whole: whoever reads meanwhile finds the former content."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(content))
    beside.replace(path)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
