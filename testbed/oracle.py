"""The oracle: what every answer of the contract must be, by brute force over all tags that were sent.

It shares no code with the jobs and the API, except the struct of a tag. A tag that was sent and not (yet)
acknowledged may or may not count; so may one that was acknowledged less than `grace` seconds before the
question. Tags of one time may come in any order. Times on the clock are seconds of whatever clock the caller uses.
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.tags import UserTag, encode_tag
from testbed.judge import Difference, Known, Minutes, judge_aggregates, judge_profile
from testbed.queries import MINUTE_MS, AggregateQuery, ProfileQuery

KEPT: Final = 256  # of each list: the platform keeps the newest of a cookie, and shows up to 200
GRACE: Final = 10.0  # seconds from the acknowledgement until a tag must be seen
NEVER: Final = float("inf")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))")
_COLUMNS: Final = {
    "time": np.int64,  # epoch milliseconds
    "acknowledged": np.float64,  # seconds on the caller's clock; infinite: not so far
    "action": np.int32,
    "origin": np.int32,
    "brand_id": np.int32,
    "category_id": np.int32,
    "price": np.int64,
}
_TEXTS: Final = ("action", "origin", "brand_id", "category_id")


class _Event(NamedTuple):
    number: int
    time: int
    line: bytes


class Oracle:
    """All tags of a run. About 0.5 KB a tag; 3 us to add one; aggregates of 600,000 tags take some 3 ms."""

    def __init__(self, grace: float = GRACE) -> None:
        self.grace = grace
        self.size = 0
        self._columns: dict[str, npt.NDArray[Any]] = {name: np.empty(1024, kind) for name, kind in _COLUMNS.items()}
        self._codes: dict[str, dict[str, int]] = {name: {} for name in _TEXTS}
        self._lists: dict[tuple[str, str], list[_Event]] = {}

    def add(self, tag: UserTag, acknowledged: float = -NEVER, line: bytes | None = None) -> int:
        """Notes a tag, by default as seen long ago; returns its number, 0, 1, … `line` is its JSON, if at hand."""
        number = self.size
        if number == len(self._columns["time"]):
            self._columns = {name: np.resize(column, number * 2) for name, column in self._columns.items()}
        time = epoch_ms(tag.time)
        product = tag.product_info
        columns, codes = self._columns, self._codes
        columns["time"][number] = time
        columns["acknowledged"][number] = acknowledged
        columns["price"][number] = product.price
        texts = (tag.action, tag.origin, product.brand_id, product.category_id)
        for name, text in zip(_TEXTS, texts, strict=True):
            known = codes[name]
            columns[name][number] = known.setdefault(text, len(known))
        event = _Event(number, time, encode_tag(tag) if line is None else line)
        self._lists.setdefault((tag.cookie, tag.action), []).append(event)
        self.size = number + 1
        return number

    def send(self, tag: UserTag, line: bytes | None = None) -> int:
        """Notes a tag that is on its way: `acknowledge` tells when it came through, if ever."""
        return self.add(tag, NEVER, line)

    def acknowledge(self, number: int, at: float) -> None:
        """The tag must be seen from `at` + grace on."""
        self._columns["acknowledged"][number] = at

    def acknowledged(self, number: int) -> float:
        """When the tag was acknowledged; infinite: not so far."""
        return float(self._columns["acknowledged"][number])

    def unacknowledged(self) -> int:
        """How many tags were sent and never acknowledged so far."""
        return int(np.count_nonzero(self._columns["acknowledged"][: self.size] == NEVER))

    def judgeable(self, query: ProfileQuery) -> bool:
        """Whether the newest 256 that are kept of each list surely hold the right answer."""
        for action in ("VIEW", "BUY"):
            events = self._lists.get((query.cookie, action), ())
            newer = sum(event.time >= query.end for event in events)
            within = sum(query.begin <= event.time < query.end for event in events)
            if newer + min(within, query.limit) > KEPT:
                return False
        return True

    def check_profile(self, query: ProfileQuery, answer: bytes, asked: float = NEVER) -> Difference | None:
        """What is wrong with the answer to a question asked at `asked`, or None."""
        views = self._known(query, "VIEW", asked)
        return judge_profile(query, answer, views, self._known(query, "BUY", asked))

    def check_aggregates(self, query: AggregateQuery, answer: bytes, asked: float = NEVER) -> Difference | None:
        """What is wrong with the answer to a question asked at `asked`, or None."""
        return judge_aggregates(query, answer, self._minutes(query, asked))

    def _known(self, query: ProfileQuery, action: str, asked: float) -> list[Known]:
        acknowledged = self._columns["acknowledged"]
        return [
            Known(event.time, event.line, bool(acknowledged[event.number] < asked - self.grace))
            for event in self._lists.get((query.cookie, action), ())
            if query.begin <= event.time < query.end
        ]

    def _minutes(self, query: AggregateQuery, asked: float) -> Minutes:
        columns = {name: column[: self.size] for name, column in self._columns.items()}
        chosen = (columns["time"] >= query.begin) & (columns["time"] < query.end)
        for name, text in [("action", query.action), *query.filters()]:
            chosen &= columns[name] == self._codes[name].get(text, -1)
        rows = np.flatnonzero(chosen)
        certain = columns["acknowledged"][rows] < asked - self.grace
        minutes = (columns["time"][rows] - query.begin) // MINUTE_MS
        prices = columns["price"][rows]
        number = (query.end - query.begin) // MINUTE_MS
        # Sums by bincount are floats: exact, as each stays far below 2^53.
        counts = np.bincount(minutes[certain], minlength=number).astype(int)
        sums = np.bincount(minutes[certain], prices[certain], minlength=number).astype(int)
        maybe: dict[int, list[int]] = {}
        for minute, price in zip(minutes[~certain].tolist(), prices[~certain].tolist(), strict=True):
            maybe.setdefault(minute, []).append(price)
        return Minutes(counts.tolist(), sums.tolist(), maybe)


def epoch_ms(time: int | str) -> int:
    """Epoch milliseconds of RFC 3339 text, or of a number, which is that already."""
    if isinstance(time, int):
        return time
    match = _TIME.fullmatch(time)
    if match is None:
        raise ValueError(f"not a time: {time!r}")
    day, clock, fraction, sign, hours, minutes = match.groups()
    moment = _second(f"{day}T{clock}")
    if sign:
        offset = (int(hours) * 60 + int(minutes)) * MINUTE_MS
        moment += -offset if sign == "+" else offset
    return moment + int((fraction or "0").ljust(3, "0")[:3])


_seconds: dict[str, int] = {}


def _second(text: str) -> int:
    """Epoch milliseconds of a whole second, remembered: traffic has a thousand tags in each."""
    known = _seconds.get(text)
    if known is None:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
        if len(_seconds) > 10_000:
            _seconds.clear()
        known = _seconds[text] = (moment - _EPOCH) // timedelta(milliseconds=1)
    return known
