"""What waits to become the next record of one partition. Pure: knows neither Kafka nor the clock."""

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import Final

from api.collect.breaker import Breaker
from api.collect.producer import OutRecord

# Whatever the lines hold, a record stays far below the broker's limit (`kafka.max_record_bytes`, 8 MB by default).
LARGEST_BATCH_BYTES: Final = 524_288


@dataclass(slots=True)
class Batch:
    """Lines that become one NDJSON record, and who waits for each. Times in epoch milliseconds."""

    lines: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    size: int = 0
    newest: int = 0  # event time
    clock: int = 0  # when the last line was accepted

    def add(self, line: bytes, time: int, now: int, future: asyncio.Future[None]) -> None:
        """Takes one more line, whose event happened at `time`."""
        self.lines.append(line)
        self.waiting.append(future)
        self.size += len(line) + 1
        self.newest = max(self.newest, time)
        self.clock = max(self.clock, now)

    def record(self, partition: int) -> OutRecord:
        """The record; its event time is no earlier than any line's clock would need it, so no reader finds a line's
        time too far ahead."""
        value = b"\n".join([*self.lines, b""])
        return OutRecord(partition, value, min(self.newest, self.clock), self.clock, len(self.lines))


@dataclass(slots=True)
class Lane:
    """One partition: the batch being filled, the breaker, and when a record was last sent (seconds of the loop)."""

    partition: int
    breaker: Breaker
    batch: Batch = field(default_factory=Batch)
    last_sent: float = 0.0

    def take(self) -> Batch:
        """The batch, leaving an empty one."""
        batch, self.batch = self.batch, Batch()
        return batch


def shard_of(cookie: str) -> int:
    """32 bits that say where a cookie's events go. Not Python's `hash`, which differs between processes."""
    return zlib.crc32(cookie.encode())


def partition_of(cookie: str, partitions: int) -> int:
    """Where a cookie's events go, as the collector's `add` finds it."""
    return shard_of(cookie) % partitions
