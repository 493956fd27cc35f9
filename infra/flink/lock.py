"""One process at a time stops and submits jobs."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.settings import Settings


class DeployBusy(Exception):
    """Another process is between stopping and starting jobs."""


@contextmanager
def deploy_lock(settings: Settings, wait: float = 0.0) -> Iterator[None]:
    """Held by whoever stops or submits jobs of this state folder, on this machine; DeployBusy after `wait` seconds.

    The operating system lets go of it when its holder dies.
    """
    path = settings.state_path / "flink" / "deploy.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + wait
        while not _locked(file.fileno()):
            if time.monotonic() >= deadline:
                raise DeployBusy(f"jobs are being stopped or submitted by another process, which holds {path}")
            time.sleep(0.1)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
