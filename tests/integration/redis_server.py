"""A Redis of the tests' own, killed and started at will."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.conftest import free_ports

DEADLINE = 180.0  # seconds


class RedisServer:
    """Debian's redis-server with its append-only file in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.start()

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed: apt-get install redis-server"
        options = ["--port", str(self.port), "--dir", str(self.folder), "--appendonly", "yes", "--save", ""]
        options += ["--appendfsync", "no"]  # a disk that others keep busy would hold up answers for seconds
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)  # noqa: S603  # of our own making
        log.close()
        client = redis.Redis(port=self.port)
        wait_for(lambda: _pings(client))
        client.close()

    def stop(self) -> None:
        """SIGKILL: what it acknowledged is in its append-only file, for this machine at least."""
        self._process.kill()
        self._process.wait()


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
