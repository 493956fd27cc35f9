"""Kinds of values in the file of routes: durations, local times, matchers, secrets. Pure, but for the environment."""

import os
import re
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, PlainValidator, SecretStr

from contracts.matchers import Matcher, parse

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS: Final = (86_400_000, 3_600_000, 60_000, 1000, 1)
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


def milliseconds(text: object) -> int:
    """Of `30s`, `5m`, `1h30m`, `7d`; ValueError for what is none."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None or not text:
        raise ValueError(f"must be a duration such as 30s, 5m, 1h30m or 7d: {str(text)[:40]!r}")
    return sum(int(number) * unit for number, unit in zip(found.groups(), _UNITS, strict=True) if number)


def duration_text(length: int) -> str:
    """What `milliseconds` reads back, in the largest units that fit."""
    parts = []
    for unit, name in zip(_UNITS, ("d", "h", "m", "s", "ms"), strict=True):
        count, length = divmod(length, unit)
        parts += [f"{count}{name}"] if count else []
    return "".join(parts) or "0s"


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(f"no such time zone: {str(name)[:40]!r}; use names such as Europe/Warsaw") from None


def _local(value: Any) -> datetime:
    """YAML may have made a datetime of it; one with a zone is refused, as the schedule has its own."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is not None:
        raise ValueError("is in the schedule's own time zone: leave the zone away, as in 2026-01-05T09:00")
    return moment


def _secret(value: Any) -> SecretStr:
    """`${NAME}` stands for an environment variable, which must be set."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text")
    missing = [name for name in _VARIABLE.findall(value) if name not in os.environ]
    if missing:
        raise ValueError(f"environment variable {missing[0]} is not set")
    return SecretStr(_VARIABLE.sub(lambda found: os.environ[found[1]], value))


def _matcher(value: Any) -> Matcher:
    if not isinstance(value, str):
        raise ValueError('must be text such as severity="critical"')
    return parse(value)


Duration = Annotated[int, BeforeValidator(milliseconds)]
LocalTime = Annotated[datetime, BeforeValidator(_local)]
MatcherText = Annotated[Matcher, PlainValidator(_matcher)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
