"""Groups of a block: what its events add to each minute and combination of action, origin, brand and category.

Tables are Arrow, one row a group, `GROUP_SCHEMA`. Adding is associative and, within a block, follows the log, so
the rows of a block depend on the run of offsets alone and not on how it was read in pieces.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.times import MINUTE_MS

KEYS: Final = ["minute", "action", "origin", "brand_id", "category_id"]
GROUP_SCHEMA: Final = pa.schema(
    [
        pa.field("minute", pa.int64()),  # whole minutes since the epoch
        pa.field("action", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("brand_id", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("count", pa.int64()),
        pa.field("sum_price", pa.int64()),
        pa.field("version", pa.int64()),  # the last offset that added to the group
    ]
)
NO_GROUPS: Final = GROUP_SCHEMA.empty_table()


def with_minute(events: pa.RecordBatch) -> pa.Table:
    """The events with a column `minute`, in whole minutes since the epoch."""
    minute = pc.divide(events.column("time"), MINUTE_MS)  # times are never negative, so this rounds down
    return pa.Table.from_batches([events]).append_column("minute", minute)


def group(events: pa.Table) -> pa.Table:
    """The groups of events that `with_minute` prepared."""
    columns = [*KEYS, "price", "offset"]
    grouped = (
        events.select(columns)
        .group_by(KEYS, use_threads=False)
        .aggregate([("price", "count"), ("price", "sum"), ("offset", "max")])
    )
    return grouped.select([*KEYS, "price_count", "price_sum", "offset_max"]).rename_columns(GROUP_SCHEMA.names)


def add(groups: pa.Table, more: pa.Table) -> pa.Table:
    """Both tables' groups as one table, a row a group."""
    if groups.num_rows == 0 or more.num_rows == 0:
        return more if groups.num_rows == 0 else groups
    both = pa.concat_tables([groups, more]).group_by(KEYS, use_threads=False)
    summed = both.aggregate([("count", "sum"), ("sum_price", "sum"), ("version", "max")])
    return summed.select([*KEYS, "count_sum", "sum_price_sum", "version_max"]).rename_columns(GROUP_SCHEMA.names)


def changed_since(groups: pa.Table, offset: int) -> pa.Table:
    """The groups that records after `offset` added to."""
    return groups.filter(pc.greater(groups.column("version"), offset))
