"""The shop's minutes out of topic `series`: one row each, once nothing can come for it any more. Pure.

The shop's own bins and the errors beside them are of two streams with a progress each, and only that of the former can
say that nobody came. Errors are waited for as long as their stream is at most `PATIENCE_MS` behind, so that one that
stands, or was never there, holds up nothing.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from contracts.series import Bin, Message, Progress
from contracts.times import MINUTE_MS

ERRORS: Final = "errors"
PATIENCE_MS: Final = 2 * MINUTE_MS
MOST_OPEN: Final = 1440  # minutes that may wait, should the shop's stream stand; beyond it the oldest are dropped
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


class OpenMinutes(msgspec.Struct, array_like=True):
    """By start, and by series the (revision, value) of its bin. What is before `closed` is over."""

    tags: Reach = msgspec.field(default_factory=Reach)
    points: Reach = msgspec.field(default_factory=Reach)
    closed: int = 0
    minutes: dict[int, dict[str, tuple[int, float]]] = {}

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    def take(self, messages: Iterable[Message]) -> list[ShopMinute]:
        """The minutes that are over now, in order. One of which there is neither a bin nor progress to its end, as
        progress leapt over it, is no row: nothing is known of it."""
        for message in messages:
            if isinstance(message, Progress):
                self._note(message)
            else:
                self._add(message)
        return self._close()

    def _note(self, progress: Progress) -> None:
        if progress.stream == "points":
            self.points.note(progress)
        else:
            self.tags.note(progress)
            self._minute(progress.through - MINUTE_MS)

    def _add(self, one: Bin) -> None:
        minute = self._minute(one.start)
        name = f"{one.metric} {_labels.encode(one.labels).decode()}"
        if name not in minute or one.revision >= minute[name][0]:
            minute[name] = one.revision, float(one.value)

    def _minute(self, start: int) -> dict[str, tuple[int, float]]:
        """That of a minute which is over is lost."""
        return self.minutes.setdefault(start, {}) if start >= self.closed else {}

    def _close(self) -> list[ShopMinute]:
        reach = self.tags.whole
        if self.points.whole:
            reach = min(reach, max(self.points.whole, reach - PATIENCE_MS))
        over = sorted(start for start in self.minutes if start + MINUTE_MS <= reach)
        self.closed = max(self.closed, reach)
        rows = [_row(start, self.minutes.pop(start)) for start in over]
        for start in sorted(self.minutes)[:-MOST_OPEN]:
            del self.minutes[start]
        return rows


def load(data: bytes) -> OpenMinutes:
    """What was dumped."""
    return msgspec.msgpack.decode(data, type=OpenMinutes)


def concerns(message: Message) -> bool:
    """Whether it says something of the shop's minutes: progress, the shop's totals, errors."""
    if message.resolution != MINUTE_MS:
        return False
    return (
        isinstance(message, Progress) or message.metric == ERRORS or (message.metric in _COLUMNS and not message.labels)
    )


def _row(start: int, bins: dict[str, tuple[int, float]]) -> ShopMinute:
    sums = [0.0] * len(_COLUMNS)
    for name, (_, value) in bins.items():
        sums[_COLUMNS[name.partition(" ")[0]]] += value
    return ShopMinute(start + MINUTE_MS - 1, *sums)
