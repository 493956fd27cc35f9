"""What crosses topic `series`: bins that are closed, and how far each shard is closed.

A record's value is NDJSON, one message a line, told apart by `type`. Its key is the shard. A bin may come again
with a higher revision when late events changed it: readers keep the highest.
"""

from typing import Final, Literal

import msgspec

USER_TAG_METRICS: Final = ("user_tags_views", "user_tags_buys", "user_tags_revenue")
USER_TAG_LABELS: Final = ("country", "device", "origin", "brand", "category")


class Bin(msgspec.Struct, tag_field="type", tag="bin", frozen=True, omit_defaults=True, gc=False):
    """One series' value over `[start, start + resolution)`, both in milliseconds.

    The bin of a metric also has `values`: sum, min, max, sum_squares, last.
    """

    metric: str
    labels: dict[str, str]
    resolution: int
    start: int
    value: int | float
    count: int  # events behind the value
    revision: int  # grows whenever more events came to the bin; not dense
    values: dict[str, float] = {}


class Progress(msgspec.Struct, tag_field="type", tag="progress", frozen=True, omit_defaults=True):
    """All bins of the shard up to `through` (epoch milliseconds) are closed; what has no bin had no events.

    Holds for bins of this `resolution` out of this `stream` only.
    """

    shard: int
    shards: int
    resolution: int
    through: int
    stream: Literal["user-tags", "points"] = "user-tags"  # whatever their topics are called


Message = Bin | Progress

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


def encode(messages: list[Message]) -> bytes:
    """The value of a record."""
    return _encoder.encode_lines(messages)


def decode(value: bytes) -> list[Message]:
    """The messages of a record; msgspec.DecodeError when it is none."""
    return [_decoder.decode(line) for line in value.splitlines() if line]
