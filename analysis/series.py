"""Partials of the user-tag series: views, buys and revenue a minute, in total and by each label.

A partial is a table of `PARTIAL_SCHEMA`; partials of any split of the events add up to the same table.
"""

from typing import Final
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from contracts.series import USER_TAG_METRICS, Bin
from contracts.times import MINUTE_MS

# A label of a series, and the column it is read from: of groups, or of events where groups do not tell. The total has
# no label.
GROUP_LABELS: Final = {"origin": "origin", "brand": "brand_id", "category": "category_id"}
EVENT_LABELS: Final = {"country": "country", "device": "device"}
_KEYS: Final = ["minute", "label", "value"]
_COUNTS: Final = ["views", "buys", "revenue"]
PARTIAL_SCHEMA: Final = pa.schema(
    [
        pa.field("minute", pa.int64()),  # whole minutes since the epoch
        pa.field("label", pa.string()),  # empty: the total
        pa.field("value", pa.string()),
        pa.field("views", pa.int64()),
        pa.field("buys", pa.int64()),
        pa.field("revenue", pa.int64()),
    ]
)
NO_PARTIAL: Final = PARTIAL_SCHEMA.empty_table()
SLOT: Final = "minute"  # the column that says which bin


def partial(events: pa.Table, grouped: pa.Table) -> pa.Table:
    """The partial of events that `groups.with_minute` prepared; `grouped`: what `groups.group` made of them."""
    places = events.group_by(["minute", "action", *EVENT_LABELS], use_threads=False)
    placed = places.aggregate([("price", "count"), ("price", "sum")])
    by_group, by_place = _counted(grouped, "count", "sum_price"), _counted(placed, "price_count", "price_sum")
    totals = by_place.append_column("value", pa.repeat("", placed.num_rows))
    parts = [_labelled(totals, "")]
    parts += [_labelled(by_group.append_column("value", grouped[name]), label) for label, name in GROUP_LABELS.items()]
    parts += [_labelled(by_place.append_column("value", placed[name]), label) for label, name in EVENT_LABELS.items()]
    return pa.concat_tables(parts)


def _counted(sums: pa.Table, count: str, price: str) -> pa.Table:
    """Minute, views, buys and revenue of each row of `sums`, of which the columns of count and price are named."""
    bought = pc.equal(sums["action"], "BUY")
    return pa.table(
        {
            "minute": sums["minute"],
            "views": pc.if_else(bought, 0, sums[count]),
            "buys": pc.if_else(bought, sums[count], 0),
            "revenue": pc.if_else(bought, sums[price], 0),
        }
    )


def _labelled(counted: pa.Table, label: str) -> pa.Table:
    """Summed by minute and the column `value`."""
    grouped = counted.group_by(["minute", "value"], use_threads=False).aggregate([(name, "sum") for name in _COUNTS])
    values = grouped["value"].cast(pa.string())
    labels = pa.repeat(label, grouped.num_rows)
    columns = [grouped["minute"], labels, values, *(grouped[f"{name}_sum"] for name in _COUNTS)]
    return pa.table(columns, schema=PARTIAL_SCHEMA)


def add(partials: list[pa.Table]) -> pa.Table:
    """The sum of the partials, a row a minute and series."""
    both = pa.concat_tables([NO_PARTIAL, *partials]).group_by(_KEYS, use_threads=False)
    summed = both.aggregate([(name, "sum") for name in _COUNTS])
    return summed.select([*_KEYS, *(f"{name}_sum" for name in _COUNTS)]).rename_columns(PARTIAL_SCHEMA.names)


def of_the_same(table: pa.Table, some: pa.Table) -> pa.Table:
    """The rows of `table` whose minute and series have a row in `some`."""
    return table.join(some.select(_KEYS), _KEYS, join_type="left semi", use_threads=False)


def shards(table: pa.Table, count: int) -> dict[int, pa.Table]:
    """The partial's rows by the shard of their series; shards without rows are left out."""
    label, value = table.column("label").to_pylist(), table.column("value").to_pylist()
    shard = pa.array([crc32(f"{a}={b}".encode()) % count for a, b in zip(label, value, strict=True)], pa.int64())
    found = {number: table.filter(pc.equal(shard, number)) for number in range(count)}
    return {number: rows for number, rows in found.items() if rows.num_rows}


def bins(table: pa.Table) -> list[Bin]:
    """The bins of a summed partial: three series a row."""
    return [
        Bin(
            metric=metric,
            labels={row["label"]: row["value"]} if row["label"] else {},
            resolution=MINUTE_MS,
            start=row["minute"] * MINUTE_MS,
            value=row[column],
            count=row["views"] if column == "views" else row["buys"],
            revision=row["views"] + row["buys"],
        )
        for row in table.to_pylist()
        for metric, column in zip(USER_TAG_METRICS, _COUNTS, strict=True)
    ]
