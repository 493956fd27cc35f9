"""The past as rules would have seen it: bins and progress out of ClickHouse."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from clickhouse_connect.driver.client import Client

import sql
from analysis.rules.samples import Message, Sample
from contracts.rules import Anomaly, Blind, Common, Pattern
from contracts.series import USER_TAG_METRICS, Bin, Progress
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from stores import clickhouse

CHUNK_MS: Final = 3_600_000  # asked for at once
Row = Sequence[Any]


def without_history(rules: Mapping[str, Common]) -> list[str]:
    """The rules that cannot be tried on the archive: it holds no scores, no matches of patterns, no progress."""
    return [name for name, rule in rules.items() if isinstance(rule, Anomaly | Pattern | Blind)]


def read(settings: Settings, begin: int, end: int) -> Iterator[list[Message]]:
    """A list of messages a minute of [begin, end), epoch milliseconds, in order; each closed when it ended."""
    first = begin // MINUTE_MS * MINUTE_MS
    with clickhouse.connect(settings, timeout=300) as client:
        for start in range(first, end, CHUNK_MS):
            until = min(start + CHUNK_MS, end)
            rows = _rows(client, start, until)
            for minute in range(start, until, MINUTE_MS):
                messages: list[Message] = [Sample(one) for row in rows.get(minute, []) for one in _bins(minute, row)]
                yield [*messages, Progress(0, 1, MINUTE_MS, minute + MINUTE_MS)]


def _rows(client: Client, begin: int, end: int) -> dict[int, list[Row]]:
    """Of each minute."""
    parameters = {"begin": begin // 1000, "end": -(-end // 1000)}
    found = client.query(sql.read("queries/replayed_user_tags"), parameters).result_rows
    return {minute * 1000: list(rows) for minute, rows in groupby(found, key=itemgetter(0))}


def _bins(minute: int, row: Row) -> Iterator[Bin]:
    """As `analysis.series.bins` makes them."""
    _, label, value, views, buys, revenue = row
    labels = {label: value} if label else {}
    for metric, number, count in zip(USER_TAG_METRICS, (views, buys, revenue), (views, buys, buys), strict=True):
        yield Bin(metric, labels, MINUTE_MS, minute, number, count, views + buys)
