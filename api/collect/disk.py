"""Whether there is room for more events: a broker that fills its disk dies, so the collector stops before that."""

import asyncio
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from api import metrics
from api.problems import Problem
from contracts.settings import Settings

log: Final = structlog.get_logger()

_EVERY_SECONDS: Final = 1.0
_SHARE: Final = 0.01  # of the time that looking may take: a folder of very many files is looked at less often
_RETRY_AFTER: Final = {"Retry-After": "10"}  # seconds; room is made by people, or by the trimming of the log
_MB: Final = 1e6


class Room(NamedTuple):
    """Bytes that the state folder takes, and may take."""

    used: int
    budget: int

    @property
    def ratio(self) -> float:
        return self.used / self.budget if self.budget else 1.0

    def __str__(self) -> str:
        return f"{self.ratio:.0%} of the disk budget is used ({self.used / _MB:,.0f} of {self.budget / _MB:,.0f} MB)"


class DiskGate:
    """Closes when `shed_at` of the budget is used, opens again below `resume_at`. Pure: what is used is passed in."""

    def __init__(self, shed_at: float, resume_at: float) -> None:
        self._shed_at, self._resume_at = shed_at, resume_at
        self.reason: str | None = None  # why it is closed

    def look(self, room: Room) -> None:
        closed = room.ratio >= (self._shed_at if self.reason is None else self._resume_at)
        self.reason = f"{room}: events are refused until it is below {self._resume_at:.0%}" if closed else None

    def admit(self) -> None:
        """Problem 503 while closed."""
        if self.reason is not None:
            raise Problem(503, "disk-nearly-full", self.reason, headers=_RETRY_AFTER)


async def watch_disk(gate: DiskGate, settings: Settings) -> None:
    """Keeps the gate up to date, until cancelled. Only of a broker that is embedded is it known where its disk is."""
    if "kafka" not in settings.embedded:
        return
    loop = asyncio.get_running_loop()
    while True:
        began = time.monotonic()
        try:
            room = await loop.run_in_executor(None, room_of, settings.state_path, settings.api.disk_budget_bytes)
        except OSError as error:
            log.warning("cannot tell how full the disk is", error=str(error))
        else:
            _note(gate, room)
        await asyncio.sleep(max(_EVERY_SECONDS, (time.monotonic() - began) / _SHARE))


def room_of(folder: Path, budget: int) -> Room:
    """`budget` 0: all that the file system has left for the folder, its own files included."""
    used = size_of(folder)
    most = used + shutil.disk_usage(folder).free
    return Room(used, min(budget, most) if budget else most)


def size_of(folder: str | Path) -> int:
    """Bytes on the disk of all files below the folder; those that go meanwhile are left out."""
    size = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                size += size_of(entry.path) if entry.is_dir(follow_symlinks=False) else _blocks(entry)
    except FileNotFoundError:
        pass
    return size


def _blocks(entry: "os.DirEntry[str]") -> int:
    """What the file takes, which for one with holes, as LMDB's, is less than its length."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return 0
    return status.st_blocks * 512 if stat.S_ISREG(status.st_mode) else 0


def _note(gate: DiskGate, room: Room) -> None:
    before = gate.reason
    gate.look(room)
    metrics.DISK_USED.set(room.ratio)
    metrics.DISK_FULL.set(gate.reason is not None)
    if (before is None) != (gate.reason is None):
        log.warning("events are refused" if gate.reason else "events are taken again", room=str(room))
