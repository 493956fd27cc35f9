"""What rules are judged on: closed bins, with the detector's score where it gave one, and progress, in order."""

from math import nan
from typing import Final, NamedTuple, Union

import msgspec

from analysis.watch.lane import Stream
from contracts.series import Bin, Progress

USER_TAGS: Final[Stream] = "user-tags"
POINTS: Final[Stream] = "points"


class Sample(NamedTuple):
    """A bin; `score` and `expected` are nan where the detector said nothing. `bin.count` 0: filled in, not measured."""

    bin: Bin
    score: float = nan
    expected: float = nan


Message = Union[Sample, Progress]  # noqa: UP007  # also at run time on Python 3.10


class _Line(msgspec.Struct, array_like=True, gc=False):
    """A message between two operators: one of the two."""

    progress: Progress | None = None
    bin: Bin | None = None
    score: float = nan
    expected: float = nan


def dump(messages: list[Message]) -> bytes:
    """Messages on their way from one operator to another."""
    return _encoder.encode(
        [_Line(progress=one) if isinstance(one, Progress) else _Line(None, *one) for one in messages]
    )


def load(data: bytes) -> list[Message]:
    """The messages, in order; msgspec.DecodeError when it is something else."""
    return [_message(line) for line in _decoder.decode(data)]


def _message(line: _Line) -> Message:
    if line.progress is not None:
        return line.progress
    if line.bin is None:
        raise msgspec.DecodeError("a message without bin and progress")
    return Sample(line.bin, line.score, line.expected)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[_Line])
