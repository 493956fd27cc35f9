"""The shop's minutes out of topic `series`: one row each, once nothing can come for it any more. Pure.

The shop's own bins and the errors beside them are of two streams with a progress each, and only that of the former can
say that nobody came. Errors are waited for as long as their stream is at most `PATIENCE_MS` behind, so that one that
stands, or was never there, holds up nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from contracts.series import Bin, Message, Progress
from contracts.times import LATEST_MS, MINUTE_MS

ERRORS: Final = "errors"
PATIENCE_MS: Final = 2 * MINUTE_MS
MOST_OPEN: Final = 1440  # minutes that may wait, should the shop's stream stand; beyond it the oldest are dropped
MOST_BINS: Final = 50_000  # that are held one by one, as they may be revised
_SPOKEN: Final = "spoken"  # the page of that name; others are called by their minutes' start
_COLUMNS: Final = {"user_tags_views": 0, "user_tags_buys": 1, "user_tags_revenue": 2, ERRORS: 3}
_labels: Final = msgspec.json.Encoder(order="sorted")


class ShopMinute(NamedTuple):
    """`end`: its last millisecond."""

    end: int
    view_count: float
    buy_count: float
    revenue: float
    error_count: float


class Reach(msgspec.Struct, array_like=True):
    """How far each shard of a stream is closed, epoch milliseconds, of how many."""

    shards: int = 0
    through: dict[int, int] = {}

    def note(self, progress: Progress) -> None:
        self.shards = progress.shards
        self.through[progress.shard] = max(progress.through, self.through.get(progress.shard, 0))

    @property
    def whole(self) -> int:
        """All shards are closed up to here; 0 while one has not been heard of."""
        return min((self.through.get(shard, 0) for shard in range(self.shards)), default=0)


class Spoken(msgspec.Struct, array_like=True):
    """What the streams said of their progress. What is before `closed` is over, what is before `since` not known: the
    shop's stream had said nothing yet."""

    tags: Reach = msgspec.field(default_factory=Reach)
    points: Reach = msgspec.field(default_factory=Reach)
    closed: int = 0
    since: int = LATEST_MS


class Minute(msgspec.Struct, array_like=True):
    """By metric and labels the (revision, value) of a bin; `errors`: the sum of those that are not held one by one any
    more, None while they are."""

    bins: dict[str, tuple[int, float]] = {}
    errors: float | None = None

    def add(self, one: Bin) -> int:
        """Takes the bin unless it is old news; says by how much it holds more."""
        if one.metric == ERRORS and self.errors is not None:
            return 0
        name = f"{one.metric} {_labels.encode(one.labels).decode()}"
        held = self.bins.get(name)
        if held is None or one.revision >= held[0]:
            self.bins[name] = one.revision, float(one.value)
        return int(held is None)

    def settle(self) -> int:
        """Keeps of errors their sum alone; says by how much it holds less."""
        of_errors = [name for name in self.bins if _metric(name) == ERRORS]
        self.errors = (self.errors or 0.0) + sum(self.bins.pop(name)[1] for name in of_errors)
        return len(of_errors)

    def row(self, start: int) -> ShopMinute:
        """What it says when it is over."""
        sums = [0.0] * len(_COLUMNS)
        for name, (_, value) in self.bins.items():
            sums[_COLUMNS[_metric(name)]] += value
        sums[_COLUMNS[ERRORS]] += self.errors or 0.0
        return ShopMinute(start + MINUTE_MS - 1, *sums)


class OpenMinutes:
    """The minutes that are not over, by start.

    `lateness` (milliseconds): bins of errors that are so far behind their stream's progress come no more; from then on
    a minute holds their sum. So it does from the oldest on, but for the newest, when there are more than `MOST_BINS`.
    `pages` of a former one, by name, bring it back.
    """

    def __init__(self, lateness: int, pages: Mapping[str, bytes] = MappingProxyType({})) -> None:
        self._lateness = lateness
        self._spoken = msgspec.msgpack.decode(pages[_SPOKEN], type=Spoken) if _SPOKEN in pages else Spoken()
        decoded = ((name, msgspec.msgpack.decode(data, type=Minute)) for name, data in pages.items() if name != _SPOKEN)
        self._minutes = {int(name): minute for name, minute in decoded}
        self._held = sum(len(minute.bins) for minute in self._minutes.values())
        self._touched: set[int] = set()

    def __len__(self) -> int:
        return len(self._minutes)

    @property
    def held(self) -> int:
        """Bins that are kept one by one."""
        return self._held

    def take(self, messages: Iterable[Message]) -> list[ShopMinute]:
        """The minutes that are over now, in order. One of which there is neither a bin nor progress to its end, as
        progress leapt over it, is no row: nothing is known of it."""
        for message in messages:
            if isinstance(message, Progress):
                self._note(message)
            else:
                self._add(message)
        rows = list(self._close())
        self._bound()
        return rows

    def changes(self) -> dict[str, bytes | None]:
        """Pages that differ since the last call, to be kept; None: it is gone."""
        changed: dict[str, bytes | None] = {_SPOKEN: msgspec.msgpack.encode(self._spoken)}
        for start in self._touched:
            minute = self._minutes.get(start)
            changed[str(start)] = None if minute is None else msgspec.msgpack.encode(minute)
        self._touched.clear()
        return changed

    def _note(self, progress: Progress) -> None:
        if progress.stream == "points":
            self._spoken.points.note(progress)
        else:
            self._spoken.tags.note(progress)
            self._of_the_shop(progress.through - MINUTE_MS)
            self._minute(progress.through - MINUTE_MS)

    def _add(self, one: Bin) -> None:
        if one.metric != ERRORS:
            self._of_the_shop(one.start)
        minute = self._minute(one.start)
        if minute is not None:
            self._held += minute.add(one)

    def _of_the_shop(self, start: int) -> None:
        self._spoken.since = min(self._spoken.since, start)

    def _minute(self, start: int) -> Minute | None:
        """To be changed; None when it is over."""
        if start < self._spoken.closed:
            return None
        self._touched.add(start)
        return self._minutes.setdefault(start, Minute())

    def _close(self) -> Iterator[ShopMinute]:
        spoken = self._spoken
        reach = spoken.tags.whole
        if spoken.points.whole:
            reach = min(reach, max(spoken.points.whole, reach - PATIENCE_MS))
        spoken.closed = max(spoken.closed, reach)
        for start in sorted(start for start in self._minutes if start + MINUTE_MS <= reach):
            minute = self._drop(start)
            if start >= spoken.since:
                yield minute.row(start)

    def _bound(self) -> None:
        """Whether the shop's stream stands, or there is no shop: what waits for it stays small."""
        for start in sorted(self._minutes)[:-MOST_OPEN]:
            self._drop(start)
        settled = self._spoken.points.whole - self._lateness - MINUTE_MS
        newest = max(self._minutes, default=0)  # of which more first bins are to come
        for start in sorted(self._minutes):
            late = start <= settled and self._minutes[start].errors is None
            if late or (start < newest and self._held > MOST_BINS):
                self._held -= self._minutes[start].settle()
                self._touched.add(start)

    def _drop(self, start: int) -> Minute:
        minute = self._minutes.pop(start)
        self._held -= len(minute.bins)
        self._touched.add(start)
        return minute


def concerns(message: Message) -> bool:
    """Whether it says something of the shop's minutes: progress, the shop's totals, errors."""
    if message.resolution != MINUTE_MS:
        return False
    return (
        isinstance(message, Progress) or message.metric == ERRORS or (message.metric in _COLUMNS and not message.labels)
    )


def _metric(name: str) -> str:
    return name.partition(" ")[0]
