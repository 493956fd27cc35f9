"""Tags in NDJSON: which lines are good, and what is wrong with the others.

A line is what stands between newlines, and holds one tag; a blank one holds nothing. One reader for all parts: were
the collector and the jobs to differ, a tag that was acknowledged would end among the dead letters.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from contracts import instants
from contracts.tags import InvalidTag, UserTag, check_not_future, decode_tag, event_time

_NEWLINE, _OPEN, _CLOSE = b"\n{}"
_decoder: Final = msgspec.json.Decoder(UserTag)


class BadLine(NamedTuple):
    """A line that holds no valid tag: its number, the field (dotted path, may be empty), why, and its bytes."""

    number: int
    field: str
    reason: str
    data: bytes


class Lines(NamedTuple):
    """The good lines' tags, epoch milliseconds and numbers (from 0), and the bad lines."""

    tags: list[UserTag]
    times: list[int]
    numbers: list[int]
    bad: list[BadLine]


def count(data: bytes) -> int:
    """How many lines there are, good, bad or blank."""
    return data.count(b"\n") + (not data.endswith(b"\n")) if data else 0


def read(data: bytes, now: int) -> Lines:
    """All lines of `data`, judged at the clock `now` (epoch milliseconds). Never raises, whatever the bytes."""
    try:
        tags = _decoder.decode_lines(data)
        if is_one_a_line(data, len(tags)):
            times = _event_times(tags)
            check_not_future(max(times), now)
            return Lines(tags, times, list(range(len(tags))), [])
    except (msgspec.DecodeError, InvalidTag, UnicodeDecodeError, RecursionError):
        pass  # some line is bad: take them one by one, which is slower but says which
    return _read_one_by_one(data, now)


def _event_times(tags: list[UserTag]) -> list[int]:
    """Epoch milliseconds of each; InvalidTag when one has none."""
    many = instants.parse_instants([tag.time for tag in tags]) if len(tags) >= instants.FEWEST else None
    return [event_time(tag) for tag in tags] if many is None else many


def judged_time(tag: UserTag, now: int) -> int:
    """Epoch milliseconds of the tag's time; InvalidTag when it is none, or too far ahead of `now`."""
    time = event_time(tag)
    check_not_future(time, now)
    return time


def is_one_a_line(data: bytes, values: int) -> bool:
    """Whether the `values` objects that were read stand one a line.

    The decoder takes any white space between and within objects, so the number of lines alone does not tell. Within
    an object no `}` is followed by a newline and `{`. (numpy: a quarter of what counting in bytes takes.)
    """
    text = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(text[:-1] == _NEWLINE)
    if len(breaks) != values - 1 or not data.startswith(b"{"):
        return False
    return bool(np.all((text[breaks - 1] == _CLOSE) & (text[breaks + 1] == _OPEN)))


def _read_one_by_one(data: bytes, now: int) -> Lines:
    found = Lines([], [], [], [])
    for number, line in enumerate(data.split(b"\n")):
        if not line.strip():
            continue
        try:
            tag = decode_tag(line)
            time = judged_time(tag, now)
        except InvalidTag as error:
            found.bad.append(BadLine(number, error.field, error.reason, line))
        else:
            found.tags.append(tag)
            found.times.append(time)
            found.numbers.append(number)
    return found
