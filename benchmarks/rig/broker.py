"""A Kafka broker of a benchmark's own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from contracts.settings import Settings
from contracts.settings_source import load
from infra.embedded.child import Child
from infra.embedded.kafka import Kafka

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0


@contextmanager
def broker(name: str) -> Iterator[tuple[Settings, Child]]:
    """Runs it on var/bench/<name>, wiped before and after, with the settings' ports; gives settings and process."""
    settings = load().model_copy(update={"state_dir": Path("var/bench") / name})
    shutil.rmtree(settings.state_path, ignore_errors=True)
    process = Child(Kafka(settings))
    try:
        process.wait_ready(START_SECONDS)
        yield settings, process
    finally:
        process.stop(STOP_SECONDS)
        shutil.rmtree(settings.state_path, ignore_errors=True)
