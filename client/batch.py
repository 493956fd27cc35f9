"""Points that are sent in one call, under a key by which the platform counts them once however often they come."""

import secrets
import time
from collections import deque
from typing import Final, NamedTuple

POINTS: Final = 5000  # a call
# A call with a key becomes one record, of 4 MiB of Arrow at most; Arrow takes less than the lines do.
BYTES: Final = 2_000_000


class Batch(NamedTuple):
    """`key` sorts by when it was made, names the file that keeps the batch, and is its Idempotency-Key."""

    key: str
    lines: list[bytes]


def empty() -> Batch:
    """With a key that nobody else has."""
    return Batch(f"{time.time_ns():020d}-{secrets.token_hex(8)}", [])


def fill(batch: Batch, waiting: deque[bytes]) -> None:
    """Moves the oldest of the lines, as many as a call may hold, one at least. Others may append and look meanwhile:
    a line is in both for a moment, and never in none."""
    size = 0
    while waiting and len(batch.lines) < POINTS and (not size or size + len(waiting[0]) < BYTES):
        batch.lines.append(waiting[0])
        size += len(waiting.popleft()) + 1
