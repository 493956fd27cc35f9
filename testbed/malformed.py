"""Malformed bytes on purpose: each a pure function of seed and number, and unlike any other.

Number n stands in the bytes, so that a dead letter tells which it is of.
"""

import random
from typing import Final, NamedTuple

from contracts.codec import ARROW_MARK, encode_lines
from contracts.tags import UserTag, encode_tag

GARBAGE: Final = 0.2  # share of the records that hold no line at all
LONGEST: Final = 6  # good lines in a record, and bad ones


class MixedRecord(NamedTuple):
    """A record's value; the tags in it and the pieces (lines, or the whole) that become dead letters, in order."""

    value: bytes
    tags: list[UserTag]
    bad: list[bytes]


def bad_line(seed: int, number: int, tag: UserTag) -> bytes:
    """A line that holds no tag; `tag` is one that it could have been."""
    mark = b"bad-%d-%d" % (seed, number)
    good = encode_tag(tag)
    lines = [
        b'{"cookie": "%b"' % mark,
        b"%b \xff\xfe\x00" % mark,
        b"[%b" % mark,
        good.replace(b'"time":', b'"%b":' % mark),
        good.replace(b'"cookie":"', b'"cookie":"%b\xc3\x28' % mark),
        good.replace(b'"price":', b'"price":"%b","was":' % mark),
        good[: len(good) // 2] + mark,
    ]
    return random.Random(f"{seed}/{number}").choice(lines)  # noqa: S311  # repeatable, not secret


def mixed_record(seed: int, number: int, tags: list[UserTag]) -> MixedRecord:
    """A record of the `tags` (at most LONGEST) with bad lines between them, or now and then of garbage alone."""
    dice = random.Random(f"{seed}/record/{number}")  # noqa: S311  # repeatable, not secret
    if dice.random() < GARBAGE:
        value = ARROW_MARK + b" no stream bad-%d-%d " % (seed, number * LONGEST) + dice.randbytes(8).hex().encode()
        return MixedRecord(value, [], [value])
    bad = [bad_line(seed, number * LONGEST + at, tags[0]) for at in range(dice.randint(1, LONGEST))]
    lines = [(True, encode_lines([tag]).rstrip()) for tag in tags] + [(False, line) for line in bad]
    dice.shuffle(lines)
    value = b"".join(line + b"\n" for _, line in lines)
    in_order = [line for is_good, line in lines if not is_good]
    return MixedRecord(value, tags, in_order)
