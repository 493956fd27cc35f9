"""An event that breaks its contract, and what msgspec says about it in our words."""

import re
from typing import Final

import msgspec


class Invalid(ValueError):
    """`field` (dotted path, empty for the whole) and `reason`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


_MISSING: Final = re.compile("Object missing required field `(.*)`")  # msgspec's path ends before the field


def explain(error: Exception) -> tuple[str, str]:
    """Field and reason of an error that decoding a JSON object raised."""
    if not isinstance(error, msgspec.ValidationError):
        return "", f"not a JSON object: {error}"
    reason, _, path = str(error).partition(" - at `$")
    missing = _MISSING.match(reason)
    place = path.strip("`.").replace("[...]", "")  # of the values of a mapping
    return ".".join(filter(None, [place, *(missing.groups() if missing else ())])), reason
