"""Groups of a block: what its events add to each minute and combination of action, origin, brand and category.

Tables are Arrow, one row a group, `GROUP_SCHEMA`. Adding is associative and, within a block, follows the log, so
the rows of a block depend on the run of offsets alone and not on how it was read in pieces.
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import coded
from contracts.coded import CODED
from contracts.times import MINUTE_MS

KEYS: Final = ["minute", "action", "origin", "brand_id", "category_id"]
GROUP_SCHEMA: Final = pa.schema(
    [
        pa.field("minute", pa.int64()),  # whole minutes since the epoch
        pa.field("action", CODED),
        pa.field("origin", CODED),
        pa.field("brand_id", CODED),
        pa.field("category_id", CODED),
        pa.field("count", pa.int64()),
        pa.field("sum_price", pa.int64()),
        pa.field("version", pa.int64()),  # the last offset that added to the group
    ]
)
NO_GROUPS: Final = GROUP_SCHEMA.empty_table()


def with_minute(events: pa.RecordBatch) -> pa.Table:
    """The events (`COUNTED_SCHEMA`) with a column `minute`, in whole minutes since the epoch."""
    minute = pc.divide(events.column("time"), MINUTE_MS)  # times are never negative, so this rounds down
    return pa.Table.from_batches([events]).append_column("minute", minute)


def group(events: pa.Table) -> pa.Table:
    """The groups of events that `with_minute` prepared."""
    sums = [("price", "count"), ("price", "sum"), ("offset", "max")]
    return _named(events.group_by(KEYS, use_threads=False).aggregate(sums), ["price_count", "price_sum", "offset_max"])


def total(groups: Sequence[pa.Table]) -> pa.Table:
    """The sum of tables of groups, a row a group."""
    if len(groups) == 1:
        return groups[0]
    rows = coded.table(groups, GROUP_SCHEMA).group_by(KEYS, use_threads=False)
    sums = rows.aggregate([("count", "sum"), ("sum_price", "sum"), ("version", "max")])
    return _named(sums, ["count_sum", "sum_price_sum", "version_max"])


def _named(grouped: pa.Table, sums: list[str]) -> pa.Table:
    return grouped.select([*KEYS, *sums]).rename_columns(GROUP_SCHEMA.names).combine_chunks()


def changed_since(groups: pa.Table, offset: int) -> pa.Table:
    """The groups that records after `offset` added to."""
    return groups.filter(pc.greater(groups.column("version"), offset))
