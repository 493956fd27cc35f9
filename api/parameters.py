"""Query parameters: each is known by name and given once, unless it may be repeated. Pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from api.problems import invalid
from contracts.times import LATEST_MS, parse_time_range

Parameters = Mapping[str, Sequence[str]]


def parse_query(query: bytes, known: Sequence[str], repeatable: Sequence[str] = ()) -> dict[str, list[str]]:
    """The parameters of a query string; Problem 400 names one that is unknown or repeated without leave."""
    given = parse_qs(query.decode("latin-1"), keep_blank_values=True, errors="replace")
    for name, values in given.items():
        if name not in known:
            raise invalid(name, f"unknown parameter; known are {', '.join(known)}")
        if len(values) > 1 and name not in repeatable:
            raise invalid(name, "given more than once")
    return given


def one(parameters: Parameters, name: str) -> str | None:
    """The parameter's value, None when it is absent."""
    values = parameters.get(name)
    return values[0] if values else None


def whole_number(parameters: Parameters, name: str, default: int, least: int, most: int) -> int:
    """The parameter as a number within bounds; Problem 400 otherwise."""
    text = one(parameters, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise invalid(name, f"must be a whole number from {least} to {most}: {text[:40]!r}")
    return int(text)


def time_range(parameters: Parameters, *, required: bool) -> tuple[int, int]:
    """`time_range` as epoch milliseconds, half open; all times when it may be absent and is."""
    text = one(parameters, "time_range")
    if text is None:
        if required:
            raise invalid("time_range", "is required, as <from>_<to>")
        return 0, LATEST_MS
    try:
        return parse_time_range(text)
    except ValueError as error:
        raise invalid("time_range", str(error)) from None
