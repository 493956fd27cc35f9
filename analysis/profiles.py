"""A cookie's profile: its newest views and buys, as sets of events that merge in any order.

Pure: imports no engine and no store.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

# The first 4 bytes of the topic id, partition, offset, line (0-based): big-endian, so that of two events with the
# same time the one that came later in the log is the greater one.
_IDENTITY: Final = struct.Struct(">4sHQI")
IDENTITY_BYTES: Final = _IDENTITY.size


class ProfileEvent(NamedTuple):
    """A tag in a profile: epoch milliseconds, where it stands in the log, and the JSON to answer with."""

    time: int
    identity: bytes
    json: bytes


class ProfileUpdate(NamedTuple):
    """Events to add to one cookie's lists, in any order."""

    views: list[ProfileEvent]
    buys: list[ProfileEvent]


class Profile(NamedTuple):
    """A cookie's newest events of each kind, newest first."""

    views: list[ProfileEvent]
    buys: list[ProfileEvent]


EMPTY: Final = Profile([], [])


def identity(topic_id: UUID, partition: int, offset: int, line: int) -> bytes:
    """The 18 bytes that name an event by its place in the log."""
    return _IDENTITY.pack(topic_id.bytes[:4], partition, offset, line)


def merge(left: Iterable[ProfileEvent], right: Iterable[ProfileEvent], keep: int) -> list[ProfileEvent]:
    """The `keep` newest events of both, newest first; equal times are ordered by identity.

    A union of sets cut to the greatest by a total order: commutative, associative, idempotent. An event's bytes
    follow from its place in the log, so a replay brings equal events, which are one.
    """
    ordered = sorted([*left, *right], reverse=True)  # runs that are in order already, as stored ones are, cost little
    return [event for event, before in zip(ordered, [None, *ordered], strict=False) if event != before][:keep]


def merge_profiles(left: Profile | ProfileUpdate, right: Profile | ProfileUpdate, keep: int) -> Profile:
    """Both lists merged, each cut to its `keep` newest."""
    return Profile(merge(left.views, right.views, keep), merge(left.buys, right.buys, keep))


def select(events: Sequence[ProfileEvent], begin: int, end: int, limit: int) -> list[ProfileEvent]:
    """The `limit` newest of the events with `begin <= time < end` (epoch milliseconds), in the order given."""
    return [event for event in events if begin <= event.time < end][:limit]
