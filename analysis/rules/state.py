"""What is remembered between two calls of the engine: a small struct a series or group that a rule watches."""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from analysis.watch.lane import Lane
from contracts.alerts import Alert
from contracts.series import Progress

Phase = Literal["inactive", "pending", "firing"]
Part = list[float]  # number of its role, revision, then what it gives


class Track(Struct, array_like=True):
    """One group of one rule. Times in epoch milliseconds; those of bins are their begin.

    `window`: the bins that will be looked at again, by begin and part. `bad` and `good` count bins in a row.
    """

    labels: dict[str, str]
    stream: str  # whose progress closes its bins
    first: int  # the first bin that is known
    seen: int  # the newest bin with data
    window: dict[int, dict[str, Part]] = {}
    bad: int = 0
    bad_since: int = 0
    good: int = 0
    good_since: int = 0
    alert: Alert | None = None  # as it was sent when it began to fire

    @property
    def phase(self) -> Phase:
        if self.alert is not None:
            return "firing"
        return "pending" if self.bad else "inactive"


class LaneState(Struct, array_like=True):
    """How far one lane is closed, by shard. `closed`: all shards are closed through that; `started`: the first bin that
    was closed."""

    started: int | None = None
    closed: int | None = None
    shards: int = 0
    through: dict[int, int] = {}

    def move(self, progress: Progress, *, alone: bool) -> tuple[int, int] | None:
        """From where (0: for the first time) to where the lane as a whole moved, if it did. `alone`: only one shard is
        heard of here.
        """
        if self.closed is None:
            first = progress.through - progress.resolution
            self.started = first if self.started is None else min(first, self.started)
        if progress.shards != self.shards:
            self.shards = progress.shards
            self.through = {shard: until for shard, until in self.through.items() if shard < progress.shards}
        self.through[progress.shard] = max(progress.through, self.through.get(progress.shard, 0))
        if not alone and len(self.through) < progress.shards:
            return None
        before, now = self.closed, min(self.through.values())
        if before is not None and now <= before:
            return None
        self.closed = now
        return before or 0, now


class State(Struct, array_like=True):
    """Of all rules at one key. `tracks`: by rule and group; `shapes`: what each rule was when they were made."""

    lanes: dict[str, LaneState] = {}
    tracks: dict[str, dict[str, Track]] = {}
    shapes: dict[str, str] = {}

    def lane(self, lane: Lane) -> LaneState:
        return self.lanes.setdefault(str(lane), LaneState())

    def dump(self) -> bytes:
        """Compact; `load` makes the same again."""
        return _encoder.encode(self)


def load(data: bytes) -> State:
    """What was dumped; msgspec.DecodeError when it is something else."""
    return _decoder.decode(data)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(State)
