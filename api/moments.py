"""Times as people write them in a query: `now-6h`, a local time, RFC 3339, milliseconds. Pure."""

import re
from datetime import datetime, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.problems import invalid
from contracts.times import EPOCH, MILLISECOND, check_range

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # in seconds
_RELATIVE: Final = re.compile(r"now(?:-(\d{1,6})([smhdw]))?")
_SPAN: Final = re.compile(r"(\d{1,6})([smhdw])")


def zone(name: str | None) -> tzinfo:
    """The time zone of that name in the IANA database, UTC for none; Problem 400 names `tz`."""
    try:
        return ZoneInfo(name) if name else timezone.utc
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("tz", f"no such time zone: {(name or '')[:40]!r}") from None


def span(field: str, text: str) -> int:
    """Seconds of `10s`, `5m`, `6h`, `1d`, `2w`; Problem 400 names `field`."""
    found = _SPAN.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise invalid(field, f"must be a number with one of {', '.join(UNITS)}, such as 10s or 6h: {text[:40]!r}")
    return int(found[1]) * UNITS[found[2]]


def moment(field: str, text: str, now: int, local: tzinfo) -> int:
    """Epoch milliseconds; a time without a zone is of `local`. Problem 400 names `field`."""
    relative = _RELATIVE.fullmatch(text)
    try:
        if relative:
            back = int(relative[1]) * UNITS[relative[2]] * 1000 if relative[1] else 0
            return check_range(now - back)
        if text.isascii() and text.isdigit():
            return check_range(int(text))
        # Python 3.10 does not know Z.
        at = datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))
        return check_range(((at if at.tzinfo else at.replace(tzinfo=local)) - EPOCH) // MILLISECOND)
    except (ValueError, OverflowError):
        raise invalid(field, f"no time such as now-6h, 2022-03-01T00:00:00Z or milliseconds: {text[:40]!r}") from None
