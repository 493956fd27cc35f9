"""A user tag: the event of a shop, as the Allezon contract defines it. Validated here and nowhere else."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from contracts.invalid import Invalid, explain
from contracts.times import check_range, not_future, parse_instant

INT32 = Meta(ge=-(2**31), le=2**31 - 1)
INT64 = Meta(ge=-(2**63), le=2**63 - 1)

Cookie = Annotated[str, Meta(min_length=1, max_length=256)]
Label = Annotated[str, Meta(min_length=1, max_length=256)]

DEVICES: Final = ("PC", "MOBILE", "TV")
ACTIONS: Final = ("VIEW", "BUY")
DIMENSIONS: Final = ("origin", "brand_id", "category_id")  # in the contract's order of columns


class ProductInfo(Struct, gc=False):
    """What was viewed or bought. `product_id` keeps the type it came with; `price` is an int32."""

    product_id: Annotated[int, INT64] | Label
    brand_id: Label
    category_id: Label
    price: Annotated[int, INT32]


class UserTag(Struct, gc=False):
    """One view or buy. `time` is RFC 3339 text or int64 epoch milliseconds, kept as it came."""

    time: Annotated[int, INT64] | Annotated[str, Meta(max_length=64)]
    cookie: Cookie
    country: Label
    device: Literal["PC", "MOBILE", "TV"]
    action: Literal["VIEW", "BUY"]
    origin: Label
    product_info: ProductInfo


class InvalidTag(Invalid):
    """A tag that breaks the contract."""


_decoder = msgspec.json.Decoder(UserTag)
_encoder = msgspec.json.Encoder()


def decode_tag(data: bytes) -> UserTag:
    """The tag in a JSON object; InvalidTag names the field that is wrong. `time` is not judged here."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidTag(*explain(error)) from None


def event_time(tag: UserTag) -> int:
    """Epoch milliseconds of the tag's time; InvalidTag when it is none."""
    try:
        return check_range(tag.time) if isinstance(tag.time, int) else parse_instant(tag.time)
    except ValueError as error:
        raise InvalidTag("time", str(error)) from None


def check_not_future(time: int, now: int) -> None:
    """InvalidTag when an event's `time` is more than 5 minutes ahead of `now` (both epoch milliseconds)."""
    try:
        not_future(time, now)
    except ValueError as error:
        raise InvalidTag("time", str(error)) from None


def encode_tag(tag: UserTag) -> bytes:
    """The tag as one line of compact JSON, keys in the contract's order."""
    return _encoder.encode(tag)
