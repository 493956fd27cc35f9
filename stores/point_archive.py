"""The kept points as the truth: bins are compared with them, and made anew from them. As `archive` does it for tags."""

from datetime import datetime, timezone
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
from clickhouse_connect.driver.client import Client

import sql
from contracts.point_codec import PLACED_POINT_SCHEMA
from contracts.points import Series, series_of
from stores.archive import Totals


class Difference(NamedTuple):
    """Where points and bins disagree: their numbers and sums in a minute of one block."""

    topic_id: UUID
    partition: int
    block: int
    minute: datetime
    archived_count: int
    counted: int
    archived_sum: float
    counted_sum: float
    same_series: bool  # whether they are of the same series


class ListedBlock(NamedTuple):
    """A block of the log: the offsets of its first and last record, and when the first came in (epoch ms)."""

    topic_id: UUID
    partition: int
    first: int
    last: int
    ingested: int


def totals(client: Client) -> Totals:
    """Of all points, bins of a minute and blocks that are held."""
    return Totals(*client.query(sql.read("queries/points_totals")).result_rows[0])


def differences(client: Client, days: int) -> list[Difference]:
    """Where the bins are not what the points say, sums but for rounding. Points are kept for `days`.

    While the job runs, points may wait that are counted already: ask again before you believe a difference.
    """
    return [Difference(*row) for row in client.query(sql.read("queries/audit_points"), {"days": days}).result_rows]


def blocks(client: Client, days: int) -> list[ListedBlock]:
    """The listed blocks all of whose points are there; these are kept for `days`."""
    return [
        ListedBlock(*row) for row in client.query(sql.read("queries/listed_point_blocks"), {"days": days}).result_rows
    ]


def points_of(client: Client, block: ListedBlock) -> pa.RecordBatch:
    """The block's points of `PLACED_POINT_SCHEMA`, in the order of the log; of `ingested` the day alone is known."""
    day = datetime.fromtimestamp(block.ingested / 1000, timezone.utc).date()
    place = {"topic_id": str(block.topic_id), "partition": block.partition, "first": block.first, "last": block.last}
    table = client.query_arrow(sql.read("queries/archived_points"), {**place, "day": day})
    if table.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=PLACED_POINT_SCHEMA)
    return table.cast(PLACED_POINT_SCHEMA).combine_chunks().to_batches()[0]


def series_of_metrics(client: Client, metrics: list[str]) -> dict[int, Series]:
    """By id the series of the metrics of these names."""
    rows = client.query(sql.read("queries/series_of_metrics"), {"metrics": metrics}).result_rows
    return {one.id: one for one in (series_of(*row) for row in rows)}
