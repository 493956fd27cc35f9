"""Seeded events by the million, as Arrow: event i is a pure function of the seed and i, made by numpy in columns.

The testbed's traffic is one tag at a time, for drivers that send thousands a second; here a topic is filled at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.events import EVENT_SCHEMA
from contracts.tags import DEVICES
from contracts.times import MINUTE_MS
from testbed.generator import START_MS, Numbers, mix
from testbed.vocabulary import BRANDS, CATEGORIES, COUNTRIES, ORIGINS

_ALPHABET: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789Zz", np.uint8)
_COOKIE_BYTES: Final = 20
_STREAMS: Final = 16  # independent draws an event
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_VIEWS: Final = 0.9  # share of views among the actions
_TEXT_IDS: Final = 16  # one product id in so many is text
_PRICES: Final = 100_000


@dataclass(frozen=True)
class Stream:
    """`events` events, `a_minute` of them in each minute of event time, in the order of their times.

    `groups`: how many combinations of action, origin, brand and category occur in a minute; 0: each event draws its
    own out of 35 million.
    """

    seed: int
    events: int
    a_minute: int
    groups: int
    cookies: int = 1_000_000

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """All events as RecordBatches of `EVENT_SCHEMA`, `rows` each but for the last."""
        for first in range(0, self.events, rows):
            yield self.batch(first, min(rows, self.events - first))

    def batch(self, first: int, rows: int) -> pa.RecordBatch:
        """Events `first` to `first + rows`."""
        index = np.arange(first, first + rows, dtype=np.uint64)
        group = self._draw(index, 0) % np.uint64(self.groups) if self.groups else index
        time = START_MS + index.astype(np.int64) * MINUTE_MS // self.a_minute
        product = (self._draw(index, 4) % np.uint64(20_000)).astype(np.int64)
        is_text = self._draw(index, 5) % np.uint64(_TEXT_IDS) == 0
        columns = {
            "time": pa.array(time),
            "time_text": pc.strftime(pa.array(time, pa.timestamp("ms", tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ"),
            "cookie": self._cookies(self._draw(index, 1) % np.uint64(self.cookies)),
            "country": _pick(COUNTRIES, self._draw(index, 2)),
            "device": _pick(DEVICES, self._draw(index, 3)),
            "action": pa.array(["VIEW", "BUY"]).take(pa.array(_share(self._draw(group, 6)) >= _VIEWS).cast(pa.int8())),
            "origin": _pick(ORIGINS, self._draw(group, 7)),
            "product_id": _product_ids(product, is_text),
            "product_id_is_number": pa.array(~is_text),
            "brand_id": _pick(BRANDS, self._draw(group, 8)),
            "category_id": _pick(CATEGORIES, self._draw(group, 9)),
            "price": pa.array((self._draw(index, 10) % np.uint64(_PRICES)).astype(np.int32)),
        }
        return pa.RecordBatch.from_arrays([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)

    def _draw(self, numbers: Numbers, stream: int) -> Numbers:
        salt = mix(np.array([self.seed], np.uint64) + _GOLDEN)
        return mix((numbers * np.uint64(_STREAMS) + np.uint64(stream)) * _GOLDEN + salt)

    def _cookies(self, index: Numbers) -> pa.Array:
        """20 letters and digits each."""
        hashed = np.stack([self._draw(index, stream) for stream in (11, 12, 13)], axis=1)
        letters = _ALPHABET[hashed.view(np.uint8).reshape(len(index), -1)[:, :_COOKIE_BYTES] & 63]
        offsets = np.arange(len(index) + 1, dtype=np.int32) * _COOKIE_BYTES
        buffers = [pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters))]
        return pa.StringArray.from_buffers(len(index), *buffers)


def _share(draws: Numbers) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return shares


def _pick(values: tuple[str, ...], draws: Numbers) -> pa.Array:
    return pa.array(values).take(pa.array((draws % np.uint64(len(values))).astype(np.int32)))


def _product_ids(numbers: npt.NDArray[np.int64], is_text: npt.NDArray[np.bool_]) -> pa.Array:
    texts = pa.array(numbers).cast(pa.string())
    return pc.if_else(pa.array(is_text), pc.binary_join_element_wise("sku-", texts, ""), texts)
