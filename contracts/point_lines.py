"""Points in NDJSON: which lines are good, and what is wrong with the others; as `lines` does it for tags."""

from typing import Final, NamedTuple

import msgspec

from contracts.lines import BadLine, is_one_a_line
from contracts.points import InvalidPoint, Point, SentPoint, decode_point, judge

_decoder: Final = msgspec.json.Decoder(SentPoint)


class PointLines(NamedTuple):
    """The good lines' points and numbers (from 0), and the bad lines."""

    points: list[Point]
    numbers: list[int]
    bad: list[BadLine]


def read(data: bytes, now: int) -> PointLines:
    """All lines of `data`, judged at the clock `now` (epoch milliseconds). Never raises, whatever the bytes."""
    try:
        sent = _decoder.decode_lines(data)
        if is_one_a_line(data, len(sent)):
            return PointLines([judge(one, now) for one in sent], list(range(len(sent))), [])
    except (msgspec.DecodeError, InvalidPoint, UnicodeError, RecursionError):
        pass  # some line is bad: take them one by one, which is slower but says which
    return _read_one_by_one(data, now)


def _read_one_by_one(data: bytes, now: int) -> PointLines:
    found = PointLines([], [], [])
    for number, line in enumerate(data.split(b"\n")):
        if not line.strip():
            continue
        try:
            point = decode_point(line, now)
        except InvalidPoint as error:
            found.bad.append(BadLine(number, error.field, error.reason, line))
        else:
            found.points.append(point)
            found.numbers.append(number)
    return found
