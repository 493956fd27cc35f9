"""What must hold between what was sent and what is there. Pure functions, which yield what is wrong in words."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.events import tags_of
from contracts.tags import encode_tag
from testbed.queries import MINUTE_MS
from tests.chaos.streams import ACKNOWLEDGED, NOT_SENT, UNKNOWN, SentRecord, Stream

SHOWN: Final = 200  # of each list in a profile
FATES: Final = {NOT_SENT: "never sent", UNKNOWN: "not acknowledged", ACKNOWLEDGED: "acknowledged"}
# Minute (epoch seconds), action, origin, brand, category; and how many events with which sum of prices.
Group = tuple[int, str, str, str, str]
Groups = dict[Group, tuple[int, int]]


class Tally(NamedTuple):
    """Tags of a stream by fate; of those that were sent and not acknowledged, how many are there all the same."""

    acknowledged: int
    unknown: int
    unknown_kept: int


def tally(stream: Stream, events: pa.RecordBatch) -> Tally:
    """`events` of `PLACED_SCHEMA` are all that is archived of the stream's times, here and below."""
    fates, counts = _by_index(stream, events)
    unknown = fates == UNKNOWN
    kept = unknown & (counts > 0)
    return Tally(*(int(np.count_nonzero(which)) for which in (fates == ACKNOWLEDGED, unknown, kept)))


def wrong_in_archive(stream: Stream, events: pa.RecordBatch) -> Iterator[str]:
    """Acknowledged tags once, others that were sent at most once, all as they were sent, nothing else."""
    fates, counts = _by_index(stream, events)
    least, most = fates == ACKNOWLEDGED, fates != NOT_SENT
    for index in np.flatnonzero((counts < least) | (counts > most)).tolist():
        yield f"tag {index} of {stream.begin}, {FATES[int(fates[index])]}: {counts[index]} times in the archive"
    for index, tag in zip(_indices(stream, events).tolist(), tags_of(events), strict=True):
        sent = stream.traffic.tag(index)
        if tag != sent:
            yield f"archived as {tag}, sent as {sent}"


def _by_index(stream: Stream, events: pa.RecordBatch) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    fates = np.frombuffer(bytes(stream.fates), np.uint8)
    return fates, np.bincount(_indices(stream, events), minlength=len(fates))


def _indices(stream: Stream, events: pa.RecordBatch) -> npt.NDArray[np.int64]:
    times: npt.NDArray[np.int64] = events.column("time").to_numpy()
    return (times - stream.begin) // stream.traffic.step_ms


def groups_of(events: pa.RecordBatch) -> Groups:
    """What the aggregates must say."""
    groups: defaultdict[Group, list[int]] = defaultdict(lambda: [0, 0])
    names = ("time", "action", "origin", "brand_id", "category_id", "price")
    columns = [events.column(name).to_pylist() for name in names]
    for time, action, origin, brand, category, price in zip(*columns, strict=True):
        group = groups[time // MINUTE_MS * 60, action, origin, brand, category]
        group[0] += 1
        group[1] += price
    return {key: (count, total) for key, (count, total) in groups.items()}


def wrong_groups(expected: Groups, found: Groups) -> Iterator[str]:
    """Groups that are not counted as they are archived."""
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield f"group {key}: {expected.get(key)} in the archive, counted {found.get(key)}"


def profiles_of(stream: Stream, events: pa.RecordBatch) -> dict[str, bytes]:
    """The API's answer for all times by cookie, also of cookies whose tags all got lost on their way. Newest first, and
    no two tags have the same time."""
    newest_first = np.argsort(-events.column("time").to_numpy())
    lists: defaultdict[str, dict[str, list[bytes]]] = defaultdict(lambda: {"VIEW": [], "BUY": []})
    for index in np.flatnonzero(np.frombuffer(bytes(stream.fates), np.uint8) == UNKNOWN).tolist():
        lists.setdefault(stream.traffic.tag(index).cookie, {"VIEW": [], "BUY": []})
    for tag in tags_of(events.take(pa.array(newest_first))):
        newest = lists[tag.cookie][tag.action]
        if len(newest) < SHOWN:
            newest.append(encode_tag(tag))
    return {
        cookie: b'{"cookie":%b,"views":[%b],"buys":[%b]}'
        % (msgspec.json.encode(cookie), b",".join(kinds["VIEW"]), b",".join(kinds["BUY"]))
        for cookie, kinds in lists.items()
    }


def wrong_letters(sent: Sequence[SentRecord], archived: set[int], letters: Counter[bytes]) -> Iterator[str]:
    """Each malformed piece of an acknowledged record once, its tags too; of any other record all of it or nothing.

    `archived` holds the times of the tags that are there, `letters` how often each piece is a dead letter.
    """
    known: set[bytes] = set()
    for number, record in enumerate(sent):
        known.update(record.bad)
        found = [letters[piece] for piece in record.bad]
        tags = [int(time in archived) for time in record.times]
        # A record that was not acknowledged is there when anything of it is.
        there = int(record.acknowledged or any(found) or any(tags))
        if set(found + tags) != {there}:
            fate = FATES[ACKNOWLEDGED if record.acknowledged else UNKNOWN]
            yield f"record {number}, {fate}: letters {found} of {record.bad}, tags {tags}"
    for piece in sorted(letters.keys() - known):
        yield f"{letters[piece]} letters of {piece!r}, which was never sent to the topic"
