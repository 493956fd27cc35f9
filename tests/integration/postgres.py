"""Debian's PostgreSQL, for tests of the alert store."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from stores.alerts import AlertStore, AlertsUnavailable
from tests.conftest import free_ports

DEADLINE: Final = 180.0
OWNER: Final = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user


class Postgres:
    """A server with its data in `folder`: `kill` is SIGKILL to all of it, `start` brings it back."""

    def __init__(self, folder: Path, programs: Path) -> None:
        (self.port,) = free_ports(1)
        self.url = f"postgresql+psycopg://tidewatch@127.0.0.1:{self.port}/postgres"
        self._folder, self._programs = folder, programs
        self._user = OWNER if os.geteuid() == 0 else None
        self._data = folder / "data"
        if self._user:
            self._data.mkdir()
            shutil.chown(self._data, self._user)
            _let_through(folder)
        options = ["-D", str(self._data), "-U", "tidewatch", "--auth=trust", "-E", "UTF8"]
        command = [str(programs / "initdb"), *options]
        subprocess.run(command, user=self._user, check=True, capture_output=True, cwd="/")  # noqa: S603  # Debian's own
        self.start()

    def start(self) -> None:
        """Returns when it answers."""
        options = ["-D", str(self._data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        command = [str(self._programs / "postgres"), *options, "-c", f"unix_socket_directories={self._data}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # Debian's own program
                command, user=self._user, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        self._wait()

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # without waiting for those who are connected
        self._process.wait(DEADLINE)

    def empty(self) -> AlertStore:
        """A store in it without tables."""
        store = AlertStore(self.url)
        with store.writing() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        return store

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE
        store = AlertStore(self.url)
        while True:
            try:
                with store.reading() as connection:
                    connection.execute(text("SELECT 1"))
                break
            except AlertsUnavailable:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.05)
        store.close()


def _let_through(folder: Path) -> None:
    """Another user may pass pytest's folders on the way to its own."""
    for parent in (folder, *folder.parents):
        if parent == Path(tempfile.gettempdir()):
            return
        parent.chmod(parent.stat().st_mode | 0o011)


def programs() -> Path:
    """Where PostgreSQL's programs are: Debian keeps them out of the PATH. The test is skipped where there are none."""
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    usable = [folder for folder in folders if (folder / "postgres").exists()]
    if not usable:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return usable[0]
