"""`/collect`: points as what a program has at hand, pairs of names and values. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from api.parameters import one, parse_query
from api.problems import Problem, invalid
from contracts.points import InvalidPoint, Point, judge_time, series_of

_QUERY: Final = ("key", "value", "time", "host", "data")
_RESERVED: Final = ("key", "value", "time")


def of_query(query: bytes, now: int) -> list[Point]:
    """`key=…&value=…[&time=…&host=…]` or `data={json}`; Problem 400 names what is wrong."""
    given = parse_query(query, _QUERY)
    data = one(given, "data")
    if data is not None:
        if len(given) > 1:
            raise invalid("data", "stands alone: put the other parameters into it")
        return of_json(data.encode(), now)
    pairs: dict[str, Any] = {name: values[0] for name, values in given.items()}
    for name in ("key", "value"):
        if not pairs.get(name):
            raise invalid(name, "is required, unless data={json} is given")
    pairs["value"] = _number(pairs["value"])
    if pairs.get("time", "").isdigit():
        pairs["time"] = int(pairs["time"])
    return _checked([pairs], now)


def of_json(data: bytes, now: int) -> list[Point]:
    """An object of pairs or an array of them; Problem 400 names what is wrong, and then none of them is taken."""
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise invalid("", f"not JSON: {error}") from None
    objects = decoded if isinstance(decoded, list) else [decoded]
    if not objects or not all(isinstance(pairs, dict) for pairs in objects):
        raise invalid("", "must be a JSON object or an array of objects")
    return _checked(objects, now)


def _checked(objects: list[dict[str, Any]], now: int) -> list[Point]:
    try:
        return [point for pairs in objects for point in _points(pairs, now)]
    except InvalidPoint as error:
        raise invalid(error.field, error.reason) from None


def _points(pairs: Mapping[str, Any], now: int) -> Iterator[Point]:
    """Each number is a gauge of its name, each text a label of them all; `key` names the number in `value`."""
    time = judge_time(_time(pairs.get("time")), now)
    rest = {name: value for name, value in pairs.items() if name not in _RESERVED}
    if "key" in pairs or "value" in pairs:
        if not isinstance(pairs.get("key"), str):
            raise InvalidPoint("key", "is required beside value, as text")
        rest[pairs["key"]] = pairs.get("value")
        if not _is_number(pairs.get("value")):
            raise InvalidPoint("value", "must be a number")
    labels = {name: value for name, value in rest.items() if isinstance(value, str)}
    numbers = {name: value for name, value in rest.items() if _is_number(value)}
    for name in rest.keys() - labels.keys() - numbers.keys():
        raise InvalidPoint(name, "must be a number, for a metric, or text, for a label")
    if not numbers:
        raise InvalidPoint("", "holds no number, so no metric")
    for name, value in numbers.items():
        yield Point(series_of(name, "gauge", labels), time, _finite(name, value))


def _time(value: Any) -> int | str | None:
    if value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InvalidPoint("time", "must be RFC 3339 text or whole milliseconds since 1970")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(name: str, value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidPoint(name, "is too large for a float") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise invalid("value", f"must be a number: {text[:40]!r}") from None
    if number - number != 0:
        raise invalid("value", "must be finite")
    return number


def refused(problem: Problem) -> str:
    """What to count the problem as: names of fields are the clients' own here, and counters need few."""
    return problem.field if problem.field in _QUERY else ""
