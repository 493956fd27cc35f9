"""What writing an event costs in each profile store: CPU of who writes, one process, and of Redis itself.

100,000 cookies, ten events each, updates of 2,000 events. LMDB has one writer at a time on a machine, so its share of a
core is what bounds a machine; Redis takes frames from any number of writers.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import psutil
import redis

from analysis.profile_updates import updates_of
from benchmarks.profile_disk import TOPIC, placed
from benchmarks.results import Result
from benchmarks.rig.events import Stream
from contracts.settings import Profiles
from stores.profiles import ProfileStore
from stores.profiles_lmdb import LmdbProfiles
from stores.profiles_redis import RedisProfiles

STREAM: Final = Stream(seed=5, events=1_000_000, a_minute=600_000, groups=10_000, cookies=100_000)
UPDATE: Final = 2_000  # events
START_SECONDS: Final = 20.0


def run() -> list[Result]:
    """Needs redis-server."""
    with tempfile.TemporaryDirectory() as folder:
        lmdb = _write(LmdbProfiles(Path(folder), Profiles(), writable=True))
    with _redis() as (url, server):
        before = _used(server)
        through = _write(RedisProfiles(url, Profiles().keep))
        own = (_used(server) - before) / STREAM.events * 1e6
        memory = server.memory_info().rss / STREAM.events
    click.echo(
        f"LMDB {lmdb:.1f} us an event; Redis {through:.1f} us, and {own:.1f} us and {memory:.0f} bytes in the server"
    )
    return [
        Result("profile_write.lmdb", lmdb, "us an event"),
        Result("profile_write.redis", through, "us an event"),
        Result("profile_write.redis.server", own, "us an event"),
        Result("profile_write.redis.memory", memory, "bytes an event"),
    ]


def _write(store: ProfileStore) -> float:
    """Microseconds of our CPU an event, all of it: from events in Arrow to what the store has acknowledged."""
    began = time.process_time()
    for _, events in placed(STREAM, UPDATE):
        store.update(updates_of(events, TOPIC, 0))
    used = time.process_time() - began
    store.close()
    return used / STREAM.events * 1e6


@contextmanager
def _redis() -> Iterator[tuple[str, psutil.Process]]:
    """Its address and its process; nothing of it is kept."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--dir", folder, "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:  # noqa: S603  # Debian's
            try:
                _wait(redis.Redis(port=port))
                yield f"redis://127.0.0.1:{port}/0", psutil.Process(server.pid)
            finally:
                server.terminate()


def _wait(client: redis.Redis) -> None:
    """Until it answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
