"""Waits with a deadline for what a running job does."""

import time
from collections.abc import Callable
from typing import Final

WAIT_SECONDS: Final = 240.0  # machines of CI are slow, and may be busy with more than us
POLL_SECONDS: Final = 0.2


def wait_until(is_so: Callable[[], bool], patience: float = WAIT_SECONDS) -> None:
    """Fails after `patience` seconds."""
    assert comes(is_so, patience)


def comes(is_so: Callable[[], bool], patience: float) -> bool:
    """Whether it becomes so within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
