"""The past as rules would have seen it: bins, scores and progress out of ClickHouse."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import nan
from operator import itemgetter
from typing import Any, Final

from clickhouse_connect.driver.client import Client

import sql
from analysis.bin_partials import finite
from analysis.rules.samples import POINTS, USER_TAGS, Message, Sample
from contracts.rules import SHORTEST_BIN_MS, Anomaly, Blind, Common, Pattern
from contracts.series import USER_TAG_METRICS, Bin, Progress
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from stores import clickhouse

CHUNK_MS: Final = 3_600_000  # asked for at once
Row = Sequence[Any]  # the first column is the minute in epoch seconds
Read = Callable[[Row], Iterator[Sample]]
Rules = dict[str, Common]


def without_history(rules: Mapping[str, Common]) -> list[str]:
    """The rules that cannot be tried on the past: no table holds matches of patterns, or progress."""
    return [name for name, rule in rules.items() if isinstance(rule, Pattern | Blind)]


def scored(rules: Mapping[str, Common]) -> Rules:
    """The rules that are judged by what `read_scores` yields; all others by what `read_bins` does."""
    return {name: rule for name, rule in rules.items() if isinstance(rule, Anomaly)}


def read_bins(settings: Settings, begin: int, end: int) -> Iterator[list[Message]]:
    """The user-tag series by the archive, and the bins of points: a list a minute of [begin, end), epoch milliseconds,
    closed when it ended."""
    queries = {"queries/replayed_user_tags": _user_tags, "queries/replayed_points": _points}
    return _read(settings, queries, begin, end)


def read_scores(settings: Settings, begin: int, end: int) -> Iterator[list[Message]]:
    """Likewise all bins that the detector has scored, with their scores."""
    return _read(settings, {"queries/replayed_scores": _scored}, begin, end)


def _read(settings: Settings, queries: Mapping[str, Read], begin: int, end: int) -> Iterator[list[Message]]:
    with clickhouse.connect(settings, timeout=300) as client:
        for start in range(begin // MINUTE_MS * MINUTE_MS, end, CHUNK_MS):
            until = min(start + CHUNK_MS, end)
            held = [(read, _rows(client, query, start, until)) for query, read in queries.items()]
            for minute in range(start, until, MINUTE_MS):
                due = [(read, row) for read, rows in held for row in rows.get(minute, [])]
                samples: list[Message] = [one for read, row in due for one in read(row)]
                yield [*samples, *_progress(minute + MINUTE_MS)]


def _progress(through: int) -> Iterator[Progress]:
    yield Progress(0, 1, MINUTE_MS, through, USER_TAGS)
    yield Progress(0, 1, MINUTE_MS, through, POINTS)
    yield Progress(0, 1, SHORTEST_BIN_MS, through, POINTS)


def _rows(client: Client, query: str, begin: int, end: int) -> dict[int, list[Row]]:
    """Of each minute."""
    parameters = {"begin": begin // 1000, "end": -(-end // 1000)}
    found = client.query(sql.read(query), parameters).result_rows
    return {minute * 1000: list(rows) for minute, rows in groupby(found, key=itemgetter(0))}


def _user_tags(row: Row) -> Iterator[Sample]:
    """As `analysis.series.bins` makes them."""
    minute, label, value, views, buys, revenue = row
    labels = {label: value} if label else {}
    for metric, number, count in zip(USER_TAG_METRICS, (views, buys, revenue), (views, buys, buys), strict=True):
        yield Sample(Bin(metric, labels, MINUTE_MS, minute * 1000, number, count, views + buys))


def _points(row: Row) -> Iterator[Sample]:
    """As `analysis.bin_partials.bins` makes them."""
    _, start, metric, labels, kind, resolution, count, total, *others = row
    names = ("sum", "min", "max", "sum_squares", "last")
    values = {name: finite(value) for name, value in zip(names, (total, *others), strict=True)}
    value = values["sum"] if kind == "counter" else finite(total / count)
    yield Sample(Bin(metric, labels, resolution * 1000, start * 1000, value, count, count, values))


def _scored(row: Row) -> Iterator[Sample]:
    """A bin without revision was filled in; of others it is not known any more how many events they held."""
    _, start, metric, labels, resolution, value, revision, score, expected = row
    one = Bin(metric, labels, resolution * 1000, start * 1000, value, min(revision, 1), revision)
    yield Sample(one, score, nan if expected is None else expected)
