"""Many instants at once, as numpy reads them: a fraction of what `contracts.times.parse_instant` takes for each.

It knows one spelling, that of the contract's examples, and leaves all else to `parse_instant`, with which it agrees.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.times import DAY_MS, LATEST_MS

FEWEST: Final = 128  # below that, one by one is as fast

Numbers = npt.NDArray[np.int64]

_LENGTH: Final = len("2022-03-01T00:00:00.649Z")
_PUNCTUATION: Final = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: ".", 23: "Z"}
_MARKS: Final = list(_PUNCTUATION)
_MARK_BYTES: Final = np.array([ord(mark) for mark in _PUNCTUATION.values()], np.uint8)
_DIGITS: Final = [place for place in range(_LENGTH) if place not in _PUNCTUATION]


def parse_instants(texts: Sequence[Any]) -> list[int] | None:
    """Epoch milliseconds of texts that are all spelt as `2022-03-01T00:00:00.649Z` is; None when some are not, or say a
    time that there is not, or that the store cannot hold."""
    try:
        if set(map(len, texts)) != {_LENGTH}:
            return None
        data = "".join(texts).encode("ascii")
    except (TypeError, UnicodeEncodeError):  # numbers among them; digits of another script
        return None
    rows = np.frombuffer(data, np.uint8).reshape(-1, _LENGTH)
    digits = np.ascontiguousarray(rows[:, _DIGITS].T) - np.uint8(ord("0"))  # what comes before 0 becomes large
    if (rows[:, _MARKS] != _MARK_BYTES).any() or (digits > 9).any():
        return None
    return _from_digits(digits.astype(np.int64))


def _from_digits(digits: Numbers) -> list[int] | None:
    """Of the 17 digits from the year's to the milliseconds', a row each."""
    year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3]
    month, day, hour, minute, second = digits[4:14:2] * 10 + digits[5:14:2]
    thousandth = digits[14] * 100 + digits[15] * 10 + digits[16]
    first = _first_day(year, month)
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (day <= _first_day(year, month + 1) - first)
    exists &= (hour < 24) & (minute < 60) & (second < 60)
    found = (first + day - 1) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + thousandth
    if not exists.all() or int(found.min()) < 0 or int(found.max()) >= LATEST_MS:
        return None
    times: list[int] = found.tolist()
    return times


def _first_day(year: Numbers, month: Numbers) -> Numbers:
    """Days from 1970-01-01 to the month's first."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days: Numbers = months.astype("datetime64[D]").astype(np.int64)
    return days
