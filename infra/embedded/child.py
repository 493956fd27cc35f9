"""A running part: its process group, started, watched and ended as one."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import psutil

from infra.embedded.launch import tied
from infra.embedded.part import Part, PartError

LOG_LIMIT: Final = 50_000_000  # bytes
POLL_SECONDS: Final = 0.05
LONG_LINE: Final = 2000  # bytes; JSON with a traceback in it


class Child:
    """The process of `part` and all that it started. Make it in the main thread, with whose end it dies."""

    def __init__(self, part: Part) -> None:
        part.prepare()
        part.log.parent.mkdir(parents=True, exist_ok=True)
        rotate(part.log)
        environment = {name: value for name, value in {**os.environ, **part.environment()}.items() if value}
        with _open_log(part.log) as log:
            self._process = subprocess.Popen(  # noqa: S603  # the part's own command
                tied(part.command()),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=part.settings.home.absolute(),
                start_new_session=True,
            )
        self.part = part
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        """Of the part's process, which leads its group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while the part's process lives."""
        return self._process.poll()

    def wait_ready(self, timeout: float) -> None:
        """Returns when the part answers; PartError, with the end of its log, when it died or took over `timeout` s."""
        deadline = time.monotonic() + timeout
        while (reason := self.part.ready()) is not None:
            if self.exit_code() is not None:
                raise PartError(f"{self.part.name} ended with status {self.exit_code()}:\n{tail(self.part.log)}")
            if time.monotonic() > deadline:
                raise PartError(f"{self.part.name} not ready after {timeout:.0f} s: {reason}\n{tail(self.part.log)}")
            time.sleep(POLL_SECONDS)

    def stop(self, timeout: float) -> bool:
        """Orderly, then by force: afterwards no process of the group is left. Whether force was not needed."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(timeout)
            orderly = True
        except subprocess.TimeoutExpired:
            orderly = False
        self.kill()
        return orderly

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when all of it is gone and reaped."""
        end_group(self.pid)
        self._process.wait()


def end_group(group: int) -> bool:
    """Kills every process of a process group and returns when none is left: whether there was one."""
    found = bool(_members(group))
    while _send_kill(group) and _members(group):
        time.sleep(POLL_SECONDS)
    return found


def _send_kill(group: int) -> bool:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _members(group: int) -> list[int]:
    members = []
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members


def _open_log(path: Path) -> IO[bytes]:
    return open(path, "ab")


def rotate(log: Path, limit: int = LOG_LIMIT) -> None:
    """Moves what a log holds to `<name>.log.1` when it is over `limit` bytes.

    The file itself stays, emptied, because a running process has it open (for appending).
    """
    if log.exists() and log.stat().st_size > limit:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log file, fewer where they are very long; or that there is none."""
    if not log.exists():
        return f"(no log at {log})"
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - LONG_LINE * lines))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
