"""The answer to an aggregates query: a row for every minute, in the contract's columns. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from contracts.tags import DIMENSIONS
from contracts.times import MINUTE_MS, format_seconds

AGGREGATES: Final = ("COUNT", "SUM_PRICE")


@dataclass(frozen=True, slots=True)
class MinuteSums:
    """What happened in a minute: `sum_price` as large as 64 bits hold."""

    count: int
    sum_price: int


@dataclass(frozen=True, slots=True)
class AggregatesQuery:
    """Whole minutes `[begin, end)` in epoch milliseconds; `filters` by dimension; `aggregates` in the asker's order."""

    begin: int
    end: int
    action: str
    filters: Mapping[str, str]
    aggregates: Sequence[str]

    @property
    def minutes(self) -> int:
        return (self.end - self.begin) // MINUTE_MS


class Answer(NamedTuple):
    """The contract's answer; every cell is a string."""

    columns: list[str]
    rows: list[list[str]]


def answer(query: AggregatesQuery, sums: Mapping[int, MinuteSums]) -> Answer:
    """One row a minute, ascending. `sums` by the minute's start in epoch milliseconds; what it lacks is zero."""
    given = [name for name in DIMENSIONS if name in query.filters]
    columns = ["1m_bucket", "action", *given, *(name.lower() for name in query.aggregates)]
    constant = [query.action, *(query.filters[name] for name in given)]
    rows = []
    for minute in range(query.begin, query.end, MINUTE_MS):
        found = sums.get(minute, MinuteSums(0, 0))
        cells = {"COUNT": str(found.count), "SUM_PRICE": str(found.sum_price)}
        rows.append([format_seconds(minute), *constant, *(cells[name] for name in query.aggregates)])
    return Answer(columns, rows)
