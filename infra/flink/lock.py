"""One process at a time stops and submits jobs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.settings import Settings
from infra.file_lock import try_lock


class DeployBusy(Exception):
    """Another process is between stopping and starting jobs."""


@contextmanager
def deploy_lock(settings: Settings, wait: float = 0.0) -> Iterator[None]:
    """Held by whoever stops or submits jobs of this state folder, on this machine; DeployBusy after `wait` seconds."""
    path = settings.state_path / "flink" / "deploy.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + wait
        while not try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise DeployBusy(f"jobs are being stopped or submitted by another process, which holds {path}")
            time.sleep(0.1)
        yield
