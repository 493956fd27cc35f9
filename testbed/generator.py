"""Seeded traffic as the course's testing platform makes it: tag i is a pure function of the seed and i.

A counter-based hash (splitmix64) stands in for a random generator with state, so that any tag can be made
again, in any order, by anyone who knows the seed. Tags are made a chunk at a time, by numpy.
"""

from binascii import b2a_base64
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.tags import ProductInfo, UserTag
from testbed.vocabulary import BRANDS, CATEGORIES, COUNTRIES, DEVICES, ORIGINS

START_MS: Final = 1_646_092_800_000  # 2022-03-01T00:00:00Z, where the course's stream begins
CHUNK: Final = 256  # tags made at once: some 0.6 ms, short enough for a caller's event loop
VIEWS: Final = 0.9  # share of views among the actions
TEXT_IDS: Final = 1 / 16  # share of product ids that are text
DEAR: Final = 1 / 128  # share of prices near the largest int32, so that sums need 64 bits

Numbers = npt.NDArray[np.uint64]
Shares = npt.NDArray[np.float64]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_STREAMS: Final = 16  # independent draws a tag
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LETTERS: Final = bytes.maketrans(b"+/", b"Zz")


def mix(numbers: Numbers) -> Numbers:
    """The finisher of splitmix64: a bijection of 64-bit numbers whose images look random."""
    mixed = numbers.copy()
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


class Traffic:
    """An endless stream: `tag(i)` has the time `start_ms + i * step_ms` (epoch milliseconds).

    Cookies are skewed: index `floor(cookies * u²)`, so the first of 1,000,000 gets a tag in a thousand, and at
    1000 tags/s over minutes some outgrow the 200 that are shown while none gets 50 in ten seconds.
    """

    def __init__(self, seed: int, start_ms: int = START_MS, cookies: int = 1_000_000, step_ms: int = 1) -> None:
        self.seed = seed
        self.start_ms = start_ms
        self.cookies = cookies
        self.step_ms = step_ms
        self._salt = np.array([seed % 2**64], np.uint64)
        self._salt = mix(self._salt + np.uint64(_GOLDEN))
        # Streams that start at other times have other cookies: their newest tags do not push each other out.
        self._names = mix(self._salt ^ np.uint64(start_ms))
        self._chunk = lru_cache(maxsize=8)(self._make_chunk)
        self._second = lru_cache(maxsize=4)(_second_text)

    def tag(self, index: int) -> UserTag:
        """The tag at `index`, from 0."""
        return self._chunk(index // CHUNK)[index % CHUNK]

    def time(self, index: int) -> int:
        """Epoch milliseconds of the tag at `index`."""
        return self.start_ms + index * self.step_ms

    def cookie(self, index: int) -> str:
        """The name of a cookie; indices of `cookies` and above never occur in the traffic."""
        return self._cookies(np.array([index], np.uint64))[0]

    def cookie_of(self, index: int) -> str:
        """The cookie of the tag at `index`: by itself, when the tags around it are not wanted."""
        return self._cookies(self._cookie_indices(index, 1))[0]

    def _cookie_indices(self, first: int, count: int) -> Numbers:
        return (self._share(first, 0, count) ** 2 * self.cookies).astype(np.uint64)

    def _draw(self, first: int, stream: int, count: int = CHUNK) -> Numbers:
        counters = np.arange(first, first + count, dtype=np.uint64) * np.uint64(_STREAMS) + np.uint64(stream)
        return mix(counters * np.uint64(_GOLDEN) + self._salt)

    def _share(self, first: int, stream: int, count: int = CHUNK) -> Shares:
        return (self._draw(first, stream, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def _cookies(self, indices: Numbers) -> list[str]:
        """20 letters and digits each: 15 bytes of hash in base 64."""
        salted = indices * np.uint64(_GOLDEN) ^ self._names
        names = np.stack([mix(salted), mix(~salted)], axis=1).tobytes()
        return [
            b2a_base64(names[at : at + 15], newline=False).translate(_LETTERS).decode()
            for at in range(0, len(names), 16)
        ]

    def _make_chunk(self, number: int) -> list[UserTag]:
        first = number * CHUNK
        share = {stream: self._share(first, stream) for stream in range(1, 9)}  # 0 is the cookie's
        columns: list[list[Any]] = [
            [self._time_text(self.time(first + at)) for at in range(CHUNK)],
            self._cookies(self._cookie_indices(first, CHUNK)),
            _pick(COUNTRIES, share[1]),
            _pick(DEVICES, share[2]),
            ["VIEW" if view else "BUY" for view in (share[3] < VIEWS).tolist()],
            _pick(ORIGINS, share[4] ** 2),
            _product_ids(share[5], self._draw(first, 9)),
            _pick(BRANDS, share[6] ** 2),
            _pick(CATEGORIES, share[7] ** 2),
            _prices(share[8], self._draw(first, 10)),
        ]
        return [
            UserTag(time, cookie, country, device, action, origin, ProductInfo(product, brand, category, price))
            for time, cookie, country, device, action, origin, product, brand, category, price in zip(
                *columns, strict=True
            )
        ]

    def _time_text(self, milliseconds: int) -> str:
        seconds, rest = divmod(milliseconds, 1000)
        text = self._second(seconds)
        return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def _pick(values: tuple[str, ...], share: Shares) -> list[str]:
    return [values[at] for at in (share * len(values)).astype(np.int64).tolist()]


def _product_ids(share: Shares, numbers: Numbers) -> list[int | str]:
    """Numbers from 0 to 19,999, sometimes a text with or without letters in it."""
    return [
        (f"sku-{number}" if number % 2 else str(number)) if text else number
        for number, text in zip((numbers % np.uint64(20_000)).tolist(), (share < TEXT_IDS).tolist(), strict=True)
    ]


def _prices(share: Shares, numbers: Numbers) -> list[int]:
    dear = np.uint64(2**31 - 1) - numbers % np.uint64(1000)
    prices: list[int] = np.where(share < DEAR, dear, numbers % np.uint64(100_000)).tolist()
    return prices
