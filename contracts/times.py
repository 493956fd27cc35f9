"""Instants. Inside the platform a time is an int: milliseconds since 1970-01-01T00:00:00Z.

One parser for all parts: were the collector and the jobs to differ by one odd spelling, a tag that was
acknowledged would end among the dead letters.
"""

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND: Final = timedelta(milliseconds=1)
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
# How far ahead of the clock an event's time may be: clients' clocks differ a little, never by more.
FUTURE_MS: Final = 300_000

_USUAL: Final = len("2022-03-01T00:00:00.649Z")
_FINER: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
# What ClickHouse's DateTime holds: 1970-01-01 up to, and without, 2106-02-07.
LATEST_MS: Final = 2**32 * 1000 - MINUTE_MS
# The event time of records that hold no event and know no time: neither minutes nor blocks end by it.
NO_TIME_MS: Final = 1
_LONGEST: Final = len("9999999999999")


def clamp(milliseconds: int) -> int:
    """A record's time within what the store can hold; a producer may write any."""
    return min(max(milliseconds, 0), LATEST_MS - 1)


def event_time(header: bytes | None, ingested: int) -> int:
    """The newest event's time by a record's header; Kafka's timestamp where there is no usable one, or a later one.

    `jobs.flink` has the same rule in SQL: a time ahead of the clock would end all minutes before it.
    """
    if header is None or not header.isdigit() or len(header) > _LONGEST:
        return ingested
    return min(int(header), ingested)


def parse_instant(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 time with a zone; digits finer than a millisecond are cut off.

    Raises ValueError, with the reason, for anything else and for years that the store cannot hold.
    """
    if len(text) == _USUAL and text[19] == "." and text[23] == "Z" and text.isascii() and text[20:23].isdecimal():
        try:
            return _second(text[:19]) + int(text[20:23])
        except ValueError:
            return _parse(text)  # which tells of the whole text
    return _parse(text)


@lru_cache(maxsize=4096)
def _second(text: str) -> int:
    """Of a time without zone and fraction. A stream names the same seconds again and again."""
    return _parse(f"{text}Z")


def _parse(text: str) -> int:
    try:
        moment = msgspec.convert(_to_microseconds(text), datetime)
    except msgspec.ValidationError:
        raise ValueError(f"not an RFC 3339 time such as 2022-03-01T00:00:00.649Z: {text[:40]!r}") from None
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone, append Z for UTC: {text[:40]!r}")
    return check_range((moment - EPOCH) // MILLISECOND)


def _to_microseconds(text: str) -> str:
    """Without the digits finer than a microsecond, by which msgspec would round up, into the next minute even."""
    return _FINER.sub(r"\1", text) if len(text) > len("2022-03-01T00:00:00.649123Z") else text


def check_range(milliseconds: int) -> int:
    """`milliseconds` itself, or ValueError when it lies outside of what the store can hold."""
    if not 0 <= milliseconds < LATEST_MS:
        raise ValueError(f"time outside 1970..2105: {milliseconds} ms since the epoch")
    return milliseconds


def not_future(milliseconds: int, now: int) -> int:
    """`milliseconds` itself, or ValueError when it lies more than 5 minutes ahead of `now` (epoch milliseconds)."""
    if milliseconds > now + FUTURE_MS:
        ahead = (milliseconds - now) // 1000
        raise ValueError(f"{ahead} s ahead of the clock; at most {FUTURE_MS // 1000} s are allowed")
    return milliseconds


def parse_time_range(text: str) -> tuple[int, int]:
    """`<from>_<to>` as epoch milliseconds, half open; UTC without a zone, 0 to 3 fractional digits.

    Raises ValueError with the reason.
    """
    first, separator, last = text.partition("_")
    if not separator:
        raise ValueError("time_range must be <from>_<to>, such as 2022-03-01T00:00:00.000_2022-03-01T00:01:00.000")
    begin, end = parse_instant(_with_zone(first)), parse_instant(_with_zone(last))
    if begin > end:
        raise ValueError("time_range ends before it begins")
    return begin, end


def _with_zone(text: str) -> str:
    if len(text) > len("2022-03-01T00:00:00.000"):
        raise ValueError(f"time_range takes UTC times without a zone, at most 3 fractional digits: {text[:40]!r}")
    return text + "Z"


def format_millis(milliseconds: int) -> str:
    """`2022-03-01T00:00:00.649`: UTC, three digits, no zone, as `time_range` wants it."""
    return (EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}"


def format_seconds(milliseconds: int) -> str:
    """`2022-03-01T00:05:00`: UTC, whole seconds, no zone, as the aggregates' buckets are written."""
    return (EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S")
