"""One supervisor a state folder: its lock, what it notes about itself and its children, and cleaning up after it.

Pids are noted with when the process started: a number alone may be another's by now. A note that cannot be read is as
none.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from pydantic import TypeAdapter

from contracts.settings import Settings
from infra import state_file
from infra.embedded.child import end_group
from infra.file_lock import try_lock
from infra.flink import handover


class Busy(Exception):
    """Another supervisor holds this state folder."""


class Running(NamedTuple):
    """A process, by pid and when it started: the boot of the machine, and ticks since then, which no step of the clock
    changes."""

    pid: int
    boot: str
    ticks: int

    def lives(self) -> bool:
        """False also when the pid is another process's by now."""
        with suppress(psutil.NoSuchProcess):
            return self.is_known() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    def is_known(self) -> bool:
        """Whether the pid is still this process's, be it dead and not yet reaped."""
        with suppress(psutil.NoSuchProcess):
            return this_process(self.pid) == self
        return False


def this_process(pid: int) -> Running:
    """Of the process that has the pid now; psutil.NoSuchProcess when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    return Running(pid, _boot(), int(stat.rpartition(")")[2].split()[19]))  # proc(5): field 22, after the name's )


def _boot() -> str:
    """Of this start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


_NOTED: Final = TypeAdapter(Running)
_CHILDREN: Final = TypeAdapter(dict[str, Running])


@contextmanager
def hold(settings: Settings) -> Iterator[None]:
    """Makes this process the supervisor of the state folder, for as long as the block runs; Busy when there is one.

    First ends what a supervisor that was killed may have left running.
    """
    folder = settings.state_path
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "supervisor.lock", "a") as lock:
        if not try_lock(lock.fileno()):
            raise Busy(f"a supervisor runs on {folder} already")
        end_leftovers(folder)
        state_file.replace(folder / "supervisor.json", json.dumps(this_process(os.getpid())))
        write_settings(settings)
        yield
        (folder / "supervisor.json").unlink(missing_ok=True)
        (folder / "children.json").unlink(missing_ok=True)


def find(settings: Settings) -> Running | None:
    """The supervisor of the state folder, if it runs."""
    with suppress(FileNotFoundError, ValueError):
        running = _NOTED.validate_json((settings.state_path / "supervisor.json").read_bytes())
        return running if running.lives() else None
    return None


def note_children(settings: Settings, children: dict[str, int]) -> None:
    """Leaders of the process groups that run now, by part."""
    noted = {}
    for name, pid in children.items():
        with suppress(psutil.NoSuchProcess):
            noted[name] = this_process(pid)
    state_file.replace(settings.state_path / "children.json", json.dumps(noted))


def end_leftovers(folder: Path) -> list[str]:
    """Kills what is left of the process groups noted in a state folder; returns the parts that were still there."""
    path = folder / "children.json"
    ended = []
    with suppress(FileNotFoundError, ValueError):
        for name, leader in _CHILDREN.validate_json(path.read_bytes()).items():
            # A pid stays taken while its group has members: no leader by that pid means that they are ours, unless the
            # machine has started anew since.
            orphaned = not psutil.pid_exists(leader.pid) and leader.boot == _boot()
            if (leader.is_known() or orphaned) and end_group(leader.pid):
                ended.append(name)
    path.unlink(missing_ok=True)
    return ended


def settings_file(settings: Settings) -> Path:
    """Where a supervisor and its children read their settings."""
    return settings.state_path / "supervisor.yaml"


def write_settings(settings: Settings) -> Path:
    """Writes `settings_file`, secrets in clear, readable by the owner alone; returns it."""
    return handover.write(settings, settings_file(settings))
