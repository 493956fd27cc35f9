"""A point: one measurement of a series. Validated here and nowhere else.

A series is a name, labels and a kind. It has one spelling, JSON with its labels sorted, whatever way it came in; its
id is a hash of that, so every part of the platform finds the same id without asking another.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, NamedTuple
from zlib import crc32

import msgspec
from msgspec import Struct

from contracts.invalid import Invalid, explain
from contracts.series import USER_TAG_METRICS
from contracts.times import check_range, not_future, parse_instant

# gauge: what was read off at that time; counter: by how much it grew; histogram: one value of many, such as a latency.
Kind = Literal["gauge", "counter", "histogram"]
KINDS: Final = ("gauge", "counter", "histogram")

LONGEST_NAME: Final = 200
LONGEST_KEY: Final = 100
LONGEST_VALUE: Final = 256
MOST_LABELS: Final = 32
# Of names and keys of labels: what people call things, but for what would break a path, a line or a spelling of series.
_NAME: Final = re.compile(r"[^\x00-\x20\x7f{}\"\\](?:[^\x00-\x1f\x7f{}\"\\]*[^\x00-\x20\x7f{}\"\\])?")
_KNOWN_SERIES: Final = 100_000  # whose spelling is remembered

Labels = tuple[tuple[str, str], ...]  # sorted by key


class InvalidPoint(Invalid):
    """A point that breaks the contract."""


class SentPoint(Struct, gc=False):
    """A point as it is sent. `time` is RFC 3339 text or epoch milliseconds; without one it is when it came in."""

    name: str
    value: float
    time: int | str | None = None
    kind: Kind = "gauge"
    labels: dict[str, str] = {}


class SentSeries(Struct, gc=False):
    """A series as records spell it; other fields are ignored."""

    name: str
    kind: Kind = "gauge"
    labels: dict[str, str] = {}


class Series(NamedTuple):
    """A valid series. `id`: 64 bits that name it; `shard`: 32 bits that spread series; `json`: its spelling."""

    id: int
    shard: int
    name: str
    kind: str
    labels: Labels
    json: bytes


class Point(NamedTuple):
    """A valid point: `time` in epoch milliseconds, `value` finite."""

    series: Series
    time: int
    value: float


_decoder: Final = msgspec.json.Decoder(SentPoint)
_series_decoder: Final = msgspec.json.Decoder(SentSeries)
_encoder: Final = msgspec.json.Encoder()


@lru_cache(_KNOWN_SERIES)
def _series(name: str, kind: str, labels: Labels) -> Series:
    check_name("name", name, LONGEST_NAME)
    if name in USER_TAG_METRICS:
        raise InvalidPoint("name", f"{name} is counted from user tags; it cannot be sent")
    if len(labels) > MOST_LABELS:
        raise InvalidPoint("labels", f"{len(labels)} labels; at most {MOST_LABELS} are allowed")
    for key, value in labels:
        check_name("labels", key, LONGEST_KEY)
        if not 0 < len(value) <= LONGEST_VALUE:
            raise InvalidPoint("labels", f"the value of {key} must have 1 to {LONGEST_VALUE} characters")
    try:
        json = _encoder.encode({"name": name, "kind": kind, "labels": dict(labels)})
    except UnicodeEncodeError:
        raise InvalidPoint("", "half of a surrogate pair is no text") from None
    identity = int.from_bytes(blake2b(json, digest_size=8).digest(), "little")
    return Series(identity, crc32(json), name, kind, labels, json)


def check_name(field: str, text: str, longest: int) -> None:
    """InvalidPoint names `field` when the text cannot be the name of a metric or label."""
    if len(text) > longest or not _NAME.fullmatch(text):
        rule = f'1 to {longest} characters, no control characters or any of {{}}"\\, no blank at either end'
        raise InvalidPoint(field, f"{text[:40]!r} is no name: {rule}")


def series_of(name: str, kind: str, labels: dict[str, str]) -> Series:
    """The series of that name, kind (one of KINDS) and labels; InvalidPoint names the field that is wrong."""
    return _series(name, kind, tuple(sorted(labels.items())))


@lru_cache(_KNOWN_SERIES)
def decode_series(data: str) -> Series:
    """The series that a JSON object with `name`, `kind` and `labels` spells; InvalidPoint when it is none."""
    try:
        sent = _series_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidPoint(*explain(error)) from None
    return series_of(sent.name, sent.kind, sent.labels)


def decode_point(data: bytes, now: int) -> Point:
    """The point in a JSON object, judged at the clock `now` (epoch milliseconds); InvalidPoint says what is wrong."""
    try:
        sent = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidPoint(*explain(error)) from None
    return judge(sent, now)


def judge(sent: SentPoint, now: int) -> Point:
    """The valid point; InvalidPoint names the field that is wrong. Decoding JSON has refused NaN and infinity."""
    return Point(series_of(sent.name, sent.kind, sent.labels), judge_time(sent.time, now), sent.value)


def judge_time(time: int | str | None, now: int) -> int:
    """Epoch milliseconds; `now` for none; InvalidPoint for no time and for one too far ahead of `now`."""
    if time is None:
        return now
    try:
        return not_future(check_range(time) if isinstance(time, int) else parse_instant(time), now)
    except ValueError as error:
        raise InvalidPoint("time", str(error)) from None


def encode_point(point: Point) -> bytes:
    """The point as one line of compact JSON."""
    return b'%b,"time":%d,"value":%b}' % (point.series.json[:-1], point.time, repr(point.value).encode())
