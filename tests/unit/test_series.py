"""Partials of the series: any split adds up, bins are what a dictionary says, shards divide them."""

from collections import defaultdict

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from analysis import arrow
from analysis.groups import group, with_minute
from analysis.series import (
    EVENT_LABELS,
    GROUP_LABELS,
    NO_PARTIAL,
    PARTIAL_SCHEMA,
    add,
    bins,
    of_the_same,
    partial,
    shards,
)
from contracts.codec import Record, decode
from contracts.events import COUNTED_SCHEMA
from contracts.series import USER_TAG_LABELS, USER_TAG_METRICS, Bin, encode
from contracts.series import decode as decode_messages
from contracts.times import MINUTE_MS
from tests.unit.strategies import logs, pieces

LABEL_COLUMNS = {**EVENT_LABELS, **GROUP_LABELS}
Row = tuple[int, str, str]
Sums = tuple[int, int, int]


def partial_of(log: list[Record]) -> pa.Table:
    events = with_minute(decode(log, COUNTED_SCHEMA).events)
    return partial(events, group(events))


def as_dict(table: pa.Table) -> dict[Row, Sums]:
    assert (table.schema.names, table.schema.types) == (PARTIAL_SCHEMA.names, PARTIAL_SCHEMA.types)
    rows = list(zip(*(table[name].to_pylist() for name in PARTIAL_SCHEMA.names), strict=True))
    found = {row[:3]: row[3:] for row in rows}
    assert len(found) == len(rows), "a series has two rows in a minute"
    return found


def brute_force(log: list[Record]) -> dict[Row, Sums]:
    """Views, buys and revenue by minute, label and its value."""
    found: defaultdict[Row, Sums] = defaultdict(lambda: (0, 0, 0))
    for event in decode(log).events.to_pylist():
        minute, bought = event["time"] // MINUTE_MS, event["action"] == "BUY"
        labels = {"": "", **{label: event[column] for label, column in LABEL_COLUMNS.items()}}
        for label, value in labels.items():
            views, buys, revenue = found[minute, label, value]
            found[minute, label, value] = (views + (not bought), buys + bought, revenue + event["price"] * bought)
    return dict(found)


@given(logs(), st.data())
def test_partials_of_any_split_add_up(log: list[Record], data: st.DataObject) -> None:
    parts = [partial_of(piece) for piece in pieces(data.draw, log)]
    assert as_dict(add(data.draw(st.permutations(parts)))) == brute_force(log) == as_dict(partial_of(log))
    middle = data.draw(st.integers(0, len(parts)))
    assert as_dict(add([add(parts[:middle]), add(parts[middle:])])) == brute_force(log)


@given(logs())
def test_bins_are_three_a_row(log: list[Record]) -> None:
    found = {
        (one.start // MINUTE_MS, *next(iter(one.labels.items()), ("", "")), one.metric): one
        for one in bins(partial_of(log))
    }
    expected = {}
    for (minute, label, value), (views, buys, revenue) in brute_force(log).items():
        labels = {label: value} if label else {}
        for metric, number, count in zip(USER_TAG_METRICS, (views, buys, revenue), (views, buys, buys), strict=True):
            one = Bin(metric, labels, MINUTE_MS, minute * MINUTE_MS, number, count, views + buys)
            expected[minute, label, value, metric] = one
    assert found == expected
    assert decode_messages(encode(list(found.values()))) == list(found.values())


@given(logs(), st.integers(1, 5))
def test_shards_divide_the_rows_by_series(log: list[Record], count: int) -> None:
    divided = shards(partial_of(log), count)
    assert all(0 <= shard < count and table.num_rows for shard, table in divided.items())
    assert as_dict(pa.concat_tables([NO_PARTIAL, *divided.values()])) == brute_force(log)
    home: dict[tuple[str, str], int] = {}
    for shard, table in divided.items():
        for _, *key in as_dict(table):
            assert home.setdefault((key[0], key[1]), shard) == shard


@given(logs(), st.data())
def test_rows_of_the_same_series_are_picked(log: list[Record], data: st.DataObject) -> None:
    whole, some = partial_of(log), partial_of(log[: data.draw(st.integers(0, len(log)))])
    expected = {key: sums for key, sums in brute_force(log).items() if key in as_dict(some)}
    assert as_dict(of_the_same(whole, some)) == expected


def test_a_series_keeps_its_shard() -> None:
    """Readers know a shard by its number: it must not move from one release to the next."""
    row = {"minute": [1], "label": ["country"], "value": ["PL"], "views": [1], "buys": [0], "revenue": [0]}
    assert list(shards(pa.table(row, schema=PARTIAL_SCHEMA), 128)) == [126]


def test_labels_are_those_of_the_contract() -> None:
    assert tuple(LABEL_COLUMNS) == USER_TAG_LABELS


@given(logs())
def test_tables_pass_through_bytes(log: list[Record]) -> None:
    table = partial_of(log)
    assert arrow.load(arrow.dump(table)).equals(table)
