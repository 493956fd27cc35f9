"""Seeded points by the million: point i is a pure function of the seed and i, made by numpy in columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.point_codec import POINT_SCHEMA
from contracts.points import Series, series_of
from contracts.times import MINUTE_MS
from testbed.generator import START_MS, mix

METRICS: Final = 100
REGIONS: Final = ("eu-north-1", "eu-west-1", "us-east-1", "ap-south-1")
EIGHTHS: Final = 8000  # values are whole eighths below a thousand, so that their sums are exact in any order
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


class Columns(NamedTuple):
    """Of points: which of the stream's series, epoch milliseconds, value."""

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True)
class PointStream:
    """`points` points of `series` series, `a_minute` in each minute of event time, in their order.

    `start`: epoch milliseconds of the first. `in_turn`: each series has its turn, as agents send what they look at;
    else each is as likely each time.
    """

    seed: int
    points: int
    a_minute: int
    series: int
    in_turn: bool = False
    start: int = START_MS

    @cached_property
    def all_series(self) -> list[Series]:
        """Gauges: a hundred metrics, of as many hosts as there have to be."""
        return [self._series(number) for number in range(self.series)]

    @staticmethod
    def _series(number: int) -> Series:
        host = number // METRICS
        labels = {"host": f"web-{host:04}", "region": REGIONS[host % len(REGIONS)]}
        return series_of(f"shop_request_seconds_{number % METRICS}", "gauge", labels)

    def batches(self, rows: int) -> Iterator[Columns]:
        """All points, `rows` each time but for the last."""
        for first in range(0, self.points, rows):
            yield self.batch(first, min(rows, self.points - first))

    def batch(self, first: int, rows: int) -> Columns:
        """Points `first` to `first + rows`."""
        index = np.arange(first, first + rows, dtype=np.uint64)
        salt = mix(np.array([self.seed], np.uint64) + _GOLDEN)
        drawn = mix(index * _GOLDEN + salt)
        return Columns(
            ((index if self.in_turn else drawn) % np.uint64(self.series)).astype(np.int32),
            self.start + index.astype(np.int64) * MINUTE_MS // self.a_minute,
            ((drawn >> np.uint64(40)) % np.uint64(EIGHTHS)).astype(np.float64) / 8,
        )

    def encode(self, columns: Columns) -> bytes:
        """As the collector writes them: an Arrow stream whose dictionary holds the series that occur."""
        occurring, codes = np.unique(columns.series, return_inverse=True)
        texts = pa.array([self.all_series[number].json.decode() for number in occurring.tolist()], pa.string())
        series = pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), texts)
        batch = pa.RecordBatch.from_arrays(
            [series, pa.array(columns.time), pa.array(columns.value)], schema=POINT_SCHEMA
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, POINT_SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
            writer.write_batch(batch)
        data: bytes = sink.getvalue().to_pybytes()
        return data

    def partition(self, columns: Columns, count: int) -> list[Columns]:
        """The points of each partition, as the collector spreads series."""
        shards = np.array([one.shard for one in self.all_series], np.int64)[columns.series] % count
        return [Columns(*(column[shards == number] for column in columns)) for number in range(count)]

    def lines(self, columns: Columns) -> Iterator[bytes]:
        """Each as a JSON object, its labels within."""
        heads = [one.json[:-1] for one in self.all_series]
        for series, time, value in zip(*(column.tolist() for column in columns), strict=True):
            yield b'%b,"time":%d,"value":%b}' % (heads[series], time, repr(value).encode())
