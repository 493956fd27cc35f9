"""Partials of the user-tag series: views, buys and revenue a minute, in total and by each label.

A partial is a table of `PARTIAL_SCHEMA`; partials of any split of the events add up to the same table.
"""

from typing import Final
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from contracts.series import USER_TAG_METRICS, Bin
from contracts.times import MINUTE_MS

# A label of a series, and the events' column it is read from. The total has no label.
LABEL_COLUMNS: Final = {
    "country": "country",
    "device": "device",
    "origin": "origin",
    "brand": "brand_id",
    "category": "category_id",
}
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


def partial(events: pa.Table) -> pa.Table:
    """The partial of events that `groups.with_minute` prepared."""
    bought = pc.equal(events.column("action"), "BUY")
    counted = pa.table(
        {
            "minute": events.column("minute"),
            "views": pc.cast(pc.invert(bought), pa.int64()),
            "buys": pc.cast(bought, pa.int64()),
            "revenue": pc.if_else(bought, pc.cast(events.column("price"), pa.int64()), 0),
        }
    )
    parts = [_labelled(counted, "", pa.nulls(events.num_rows, pa.string()).fill_null(""))]
    parts += [_labelled(counted, label, events.column(column)) for label, column in LABEL_COLUMNS.items()]
    return pa.concat_tables(parts)


def _labelled(counted: pa.Table, label: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    table = counted.append_column("value", values)
    grouped = table.group_by(["minute", "value"], use_threads=False).aggregate([(name, "sum") for name in _COUNTS])
    labels = pa.nulls(grouped.num_rows, pa.string()).fill_null(label)
    columns = [grouped["minute"], labels, grouped["value"], *(grouped[f"{name}_sum"] for name in _COUNTS)]
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
