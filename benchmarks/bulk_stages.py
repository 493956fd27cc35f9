"""Where the CPU of a bulk body goes, stage by stage, in one process and without HTTP or Kafka."""

import gzip
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import zstandard

from api.collect.bulk_parse import by_shape, parse, records
from api.collect.decompress import decompress
from api.collect.lane import partition_of
from api.services import wall_clock
from benchmarks.results import Result
from contracts.codec import encode_arrow, encode_lines
from contracts.events import events_of
from contracts.tags import UserTag, event_time
from testbed.generator import Traffic

LINES: Final = 5000
TIMES: Final = 7  # the fastest counts: what is slower was disturbed
PARTITIONS: Final = 2
RECORD_BYTES: Final = 4_000_000

Value = TypeVar("Value")


def run() -> list[Result]:
    """Microseconds of CPU an event, by stage; `parse` and `records` are sums of those before them."""
    traffic = Traffic(seed=1)
    body = encode_lines(traffic.tag(number) for number in range(LINES))
    packed = {"gzip": gzip.compress(body, 6), "zstd": zstandard.ZstdCompressor().compress(body)}
    stages = _Stages()
    for encoding, data in packed.items():
        stages.time(f"unpack_{encoding}", partial(decompress, data, encoding, 10 * len(body)))
    tags = stages.time("decode", lambda: msgspec.json.Decoder(UserTag).decode_lines(body))
    times = stages.time("event_times", lambda: [event_time(tag) for tag in tags])
    good = stages.time("parse", lambda: parse(body, wall_clock())).good
    stages.time("by_shape", lambda: by_shape(good))
    places = stages.time("partitions", lambda: np.array([partition_of(tag.cookie, PARTITIONS) for tag in tags]))
    events = stages.time("columns", lambda: events_of(tags, times))
    stages.time("sort", lambda: events.take(pa.array(np.argsort(places, kind="stable"))))
    stages.time("write_arrow", lambda: encode_arrow(events))
    stages.time("records", lambda: records(good, PARTITIONS, LINES, RECORD_BYTES, wall_clock()))
    return stages.results


class _Stages:
    """What each stage took."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def time(self, name: str, stage: Callable[[], Value]) -> Value:
        """Runs it some times; returns what it returned."""
        fastest = float("inf")
        for _ in range(TIMES):
            began = time.process_time()
            value = stage()
            fastest = min(fastest, time.process_time() - began)
        used = fastest / LINES * 1e6
        self.results.append(Result(f"bulk_stages.{name}", used, "us an event", cpu_us=used))
        return value
