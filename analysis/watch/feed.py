"""One feed, the bins that share their progress: state and messages in, scored bins and changes out.

A bin is judged once, when progress has passed it. A counted series without a bin then had no events: zero, unless
nothing is known of that time at all, because progress leapt over it and no series has a bin there. Without progress
nothing is judged. What comes for a time that was judged is a revision, which the model never sees.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np

from analysis.detection import HEADS_A_PAGE, Ints, Points, Scores, Seedable, State
from analysis.watch.history import NONE
from analysis.watch.lane import Lane
from analysis.watch.live import Live
from analysis.watch.scored import ScoredBin
from contracts.series import Bin, Message, Progress, decode, encode
from contracts.times import LATEST_MS

LEAST_MS: Final = 2 * 86_400_000  # of a history that teaches anything
FORGET_MS: Final = 14 * 86_400_000  # a series without events for so long is over; it may come back
Changes = dict[str, bytes | None]  # pages of the state by name; None: it is gone


class Taken(NamedTuple):
    """What came of some messages, in order: revised bins as they came; the bins that were judged, and after them the
    progress that closed them, of each shard. And the changes of the state, to be kept."""

    stream: list[ScoredBin | Progress]
    changes: Changes


class Learnt(NamedTuple):
    """What a detector learnt of the histories of some series, by their numbers."""

    numbers: Ints
    state: State


def learn(detector: Seedable, history: Points) -> Learnt:
    """Of those series whose histories are longer than two days; others teach nothing. Takes milliseconds a day and
    series, and touches nothing else, so any thread may do it."""
    having, places = np.unique(history.series, return_inverse=True)
    first, last = np.full(len(having), LATEST_MS), np.zeros(len(having), np.int64)
    np.minimum.at(first, places, history.times)
    np.maximum.at(last, places, history.times)
    numbers = having[last - first > LEAST_MS]
    if not len(numbers):
        return Learnt(numbers, detector.start(0))
    points = history.take(np.isin(history.series, numbers))
    own = points._replace(series=np.searchsorted(numbers, points.series))
    return Learnt(numbers, detector.seed(detector.start(len(numbers)), own))


class Reach(msgspec.Struct):
    """How far each shard is closed (epoch milliseconds), of how many; `judged`: all bins before it are."""

    shards: int = 0
    through: dict[int, int] = {}
    judged: int = 0
    kind: str = ""  # of the detector's state


class Feed:
    """The bins of a lane, of at most `most` series.

    `pages` of a former one, by name, bring it back; where they are of another detector, or of another version of it,
    they tell only which series there are.
    """

    def __init__(self, lane: Lane, detector: Seedable, most: int, pages: dict[str, bytes] | None = None) -> None:
        pages = pages or {}
        self.lane = lane
        self._detector = detector
        self._reach = msgspec.msgpack.decode(pages["reach"], type=Reach) if "reach" in pages else Reach()
        self.live = Live(most, pages)
        self._stale: Changes = {}
        self._state, self._reach.kind = self._restored(pages), kind_of(detector)
        self._waiting = {name: decode(data) for name, data in pages.items() if name.startswith("waiting/")}
        self._next = 1 + max((int(name.split("/")[1]) for name in self._waiting), default=0)

    def _restored(self, pages: dict[str, bytes]) -> State:
        empty = self._detector.start(len(self.live))
        own = {name: data for name, data in pages.items() if name.startswith(("heads/", "slots/"))}
        if self._reach.kind in ("", kind_of(self._detector)):
            return empty.with_pages(own)
        self._stale.update(dict.fromkeys(own))
        self.live.ask_again()  # histories teach what was lost
        self._stale.update(self.live.pages(np.arange(len(self.live)), len(self.live)))  # also after another restart
        return empty

    @property
    def judged(self) -> int:
        """All bins before this time (epoch milliseconds) are judged; 0 before any was."""
        return self._reach.judged

    def take(self, messages: Iterable[Message]) -> Taken:
        """Messages of this feed, in the order of the topic."""
        stream: list[ScoredBin | Progress] = []
        changes, self._stale = self._stale, {}
        came: list[Message] = []
        for message in messages:
            if isinstance(message, Progress):
                self._reached(message)
                if self._closed > self.judged:
                    self._wait(came, changes)
                    came = []
                    stream += self._close(changes)
                changes["reach"] = msgspec.msgpack.encode(self._reach)
            elif message.start < self.judged:
                stream.append(ScoredBin(message, revised=True))
            else:
                came.append(message)
        self._wait(came, changes)
        return Taken(stream, changes)

    def begin(self, numbers: list[int], learnt: Iterable[Learnt]) -> Changes:
        """Lets those of these series begin anew of which something was learnt; the others go on as they are. None of
        them is asked for again."""
        asked = np.array(numbers)
        self.live.asked(asked)
        changes, self._stale = self._stale, {}  # before what is written of the same pages
        changes.update(self.live.pages(asked, len(self.live)))
        begun = list(learnt)
        for one in begun:
            self._state.heads[one.numbers] = one.state.heads
            self._state.slots[:, one.numbers] = one.state.slots
        if begun:
            all_of_them = np.concatenate([one.numbers for one in begun])
            rewritten = NONE._replace(series=all_of_them)  # their times do not matter where all slots are named
            changes.update(self._state.pages(rewritten, np.arange(len(self._state.slots))))
        return changes

    @property
    def _closed(self) -> int:
        """All shards that are known are closed up to there."""
        return min(self._reach.through.values())

    def _reached(self, progress: Progress) -> None:
        reach = self._reach
        if progress.shards != reach.shards:  # the data job cuts otherwise now: former shards will tell no more
            reach.shards, reach.through = progress.shards, {}
        reach.through[progress.shard] = max(progress.through, reach.through.get(progress.shard, 0))

    def _wait(self, came: list[Message], changes: Changes) -> None:
        """Keeps what is not closed yet."""
        if came:
            name = f"waiting/{self._next}"
            self._next += 1
            self._waiting[name] = came
            changes[name] = encode(came)

    def _close(self, changes: Changes) -> Iterator[ScoredBin | Progress]:
        """Judges the bins up to where all shards are closed."""
        before, now = self.judged, self._closed
        self._reach.judged = now
        known = len(self.live)
        by_start = self._by_start(self._due(now, changes))
        if now - before == self.lane.resolution:
            by_start.setdefault(before, {})  # nobody had events, and progress has passed: all are zero
        judged = [one for start in sorted(by_start) for one in self._with_quiet(start, by_start[start])]
        yield from self._score(judged, known, changes)
        for shard in sorted(self._reach.through):
            yield Progress(shard, self._reach.shards, self.lane.resolution, now, self.lane.stream)

    def _due(self, now: int, changes: Changes) -> list[Bin]:
        """The bins that wait and are closed; others go on waiting."""
        waiting = [one for messages in self._waiting.values() for one in messages if isinstance(one, Bin)]
        changes.update(dict.fromkeys(self._waiting))
        self._waiting.clear()
        self._wait([one for one in waiting if one.start + self.lane.resolution > now], changes)
        return [one for one in waiting if one.start + self.lane.resolution <= now]

    def _by_start(self, bins: list[Bin]) -> dict[int, dict[int, Bin]]:
        """By begin and number of the series; of copies that of the highest revision."""
        found: dict[int, dict[int, Bin]] = {}
        for one in bins:
            number = self.live.number(one)
            if number is not None:
                at = found.setdefault(one.start, {})
                if number not in at or at[number].revision < one.revision:
                    at[number] = one
        return found

    def _with_quiet(self, start: int, having: dict[int, Bin]) -> Iterator[tuple[int, Bin]]:
        """All series that have a value in the bin that begins at `start`, by number: those `having` events, and those
        that were quiet."""
        self.live.seen(list(having), start)
        for number in self.live.at(start, FORGET_MS).tolist():
            metric, labels = self.live.names[number]
            yield number, having.get(number) or Bin(metric, labels, self.lane.resolution, start, 0, 0, 0)

    def _score(self, bins: list[tuple[int, Bin]], known: int, changes: Changes) -> Iterator[ScoredBin]:
        """`bins` by number of their series, of which those from `known` on are new."""
        if not bins:
            return
        if len(self.live) > len(self._state.heads):
            self._state = self._state.resized(len(self.live) + max(HEADS_A_PAGE, len(self.live) // 4))
        times = np.array([one.start for _, one in bins])
        values = np.array([one.value for _, one in bins], np.float64)
        points = Points(np.array([number for number, _ in bins]), times, values, times)
        self._state, scores = self._detector.score(self._state, points)
        changes.update(self._state.pages(points, self._detector.rows(points)))
        changes.update(self.live.pages(points.series, known))
        yield from self._scored([one for _, one in bins], scores)

    def _scored(self, bins: list[Bin], scores: Scores) -> Iterator[ScoredBin]:
        columns = [column.tolist() for column in scores[:4]]
        channels = [self._detector.channels[channel] for channel in scores.channel.tolist()]
        for one, score, expected, lower, upper, channel in zip(bins, *columns, channels, strict=True):
            said = channel if score == score else ""  # nan: nothing was said
            yield ScoredBin(one, False, score, expected, lower, upper, said)


def kind_of(detector: Seedable) -> str:
    """Tells states apart that are not of the same fields."""
    state = detector.start(0)
    return f"{type(detector).__name__} {state.heads.dtype.descr} {len(state.slots)} {state.slots.dtype.descr}"
