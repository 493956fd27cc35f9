"""StatsD's lines, with the tags and packed values of DogStatsD. Pure: time is passed in."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from contracts.points import InvalidPoint, Labels, Point, series_of

# What each type becomes. Rates count for counters only: of sampled timings those that came are kept as they are.
_KINDS: Final = {"c": "counter", "g": "gauge", "ms": "histogram", "h": "histogram", "d": "histogram"}
_MOST_KEPT: Final = 100_000  # gauges and members of sets: bounds the memory that strangers may take


class Sample(NamedTuple):
    """A line's parts; `rate` above 0 and at most 1."""

    name: str
    values: list[str]
    type: str
    rate: float
    labels: dict[str, str]


def parse(line: str) -> Sample:
    """`<name>:<value>[:<value>…]|<type>[|@<rate>][|#<tag>[:<value>],…]`; InvalidPoint says what is wrong."""
    name, separator, rest = line.partition(":")
    values, *fields = rest.split("|")
    if not separator or not fields:
        raise InvalidPoint("", f"not <name>:<value>|<type>: {line[:80]!r}")
    if fields[0] not in (*_KINDS, "s"):
        raise InvalidPoint("type", f"must be one of {', '.join((*_KINDS, 's'))}: {fields[0][:20]!r}")
    rate, labels = 1.0, {}
    for field in fields[1:]:
        if field.startswith("@"):
            rate = _rate(field[1:])
        elif field.startswith("#"):
            labels = dict(_tags(field[1:]))
    return Sample(name, values.split(":"), fields[0], rate, labels)


def _rate(text: str) -> float:
    rate = _number(text, "rate")
    if not 0 < rate <= 1:
        raise InvalidPoint("rate", f"must be above 0 and at most 1: {text[:20]!r}")
    return rate


def _tags(text: str) -> Iterator[tuple[str, str]]:
    """A tag without a value counts as one that is true."""
    for tag in filter(None, text.split(",")):
        key, _, value = tag.partition(":")
        yield key, value or "true"


def _number(text: str, field: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise InvalidPoint(field, f"not a number: {text[:40]!r}") from None
    if number - number != 0:
        raise InvalidPoint(field, f"not finite: {text[:40]!r}")
    return number


class StatsD:
    """What StatsD remembers between lines: gauges, which may come as changes, and the members of sets."""

    def __init__(self) -> None:
        self._gauges: dict[int, float] = {}
        self._sets: dict[tuple[str, Labels], set[str]] = {}
        self._members = 0

    def take(self, line: str, now: int) -> list[Point]:
        """A line's points at the clock `now` (epoch milliseconds), none for a set's; InvalidPoint for a bad one."""
        sample = parse(line)
        if sample.type == "s":
            self._remember(sample)
            return []
        series = series_of(sample.name, _KINDS[sample.type], sample.labels)
        points = []
        for text in sample.values:
            value = _number(text, "value")
            if sample.type == "c":
                value /= sample.rate
            if sample.type == "g":
                value = self._gauge(series.id, text, value)
            points.append(Point(series, now, value))
        return points

    def sets(self, now: int) -> list[Point]:
        """How many members each set had since the last call, as gauges; forgets them."""
        points = [
            Point(series_of(name, "gauge", dict(labels)), now, float(len(members)))
            for (name, labels), members in self._sets.items()
        ]
        self._sets.clear()
        self._members = 0
        return points

    def _remember(self, sample: Sample) -> None:
        key = (sample.name, series_of(sample.name, "gauge", sample.labels).labels)
        members = self._sets.setdefault(key, set())
        before = len(members)
        if self._members < _MOST_KEPT:
            members.update(sample.values)
        self._members += len(members) - before

    def _gauge(self, series: int, text: str, value: float) -> float:
        """The gauge's new value: a sign makes it a change."""
        if text[0] in "+-":
            value += self._gauges.get(series, 0.0)
        if len(self._gauges) < _MOST_KEPT or series in self._gauges:
            self._gauges[series] = value
        return value
