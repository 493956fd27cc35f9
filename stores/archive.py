"""The archive as the truth: what was derived from it is compared with it, and made anew from it."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa
from clickhouse_connect.driver.client import Client

import sql
from analysis.profile_updates import updates_of
from contracts.events import PLACED_SCHEMA
from stores.profiles import ProfileStore

TAGS, POINTS = "queries/progress", "queries/points_progress"  # whose archive and blocks
BLOCKS_A_STATEMENT = 20  # a bound on the time and memory of one rebuilding INSERT; progress is shown by statement


class Totals(NamedTuple):
    """Events in the archive, events counted in the aggregates, listed blocks of the log."""

    archived: int
    counted: int
    blocks: int


class Difference(NamedTuple):
    """Where archive and aggregates disagree: events and sums of price of a minute and action in one block."""

    topic_id: UUID
    partition: int
    block: int
    minute: datetime
    action: str
    archived_count: int
    counted: int
    archived_price: int
    counted_price: int
    same_groups: bool  # whether origins, brands and categories agree


class Run(NamedTuple):
    """Blocks of one partition, by the first offsets of the first and the last of them."""

    topic_id: UUID
    partition: int
    first: int
    last: int


class ArchivedPartition(NamedTuple):
    """A partition that the archive holds `rows` of, duplicates that were not merged yet among them."""

    topic_id: UUID
    partition: int
    rows: int


def totals(client: Client) -> Totals:
    """Of everything that is kept."""
    return Totals(*client.query(sql.read("queries/totals")).result_rows[0])


def ahead(client: Client, of: str = TAGS) -> bool:
    """Whether blocks list offsets that the archive has not come to, or will not: of records without events."""
    return any(listed > archived for _, _, archived, listed in client.query(sql.read(of)).result_rows)


def archived_to(client: Client, topic_id: UUID) -> dict[int, int]:
    """By partition of the topic, the last offset of which the archive holds events; it is filled in their order."""
    rows = client.query(sql.read("queries/progress")).result_rows
    return {partition: archived for topic, partition, archived, _ in rows if topic == topic_id}


def behind(client: Client, of: str = TAGS) -> dict[tuple[UUID, int], tuple[int, int]]:
    """By (topic id, partition): the last offset in the archive and the last one listed, where the latter is behind.

    While traffic goes on what is counted is a few seconds behind; that they stay where they are is what is wrong.
    """
    rows = client.query(sql.read(of)).result_rows
    return {(topic, partition): (archived, listed) for topic, partition, archived, listed in rows if listed < archived}


def differences(client: Client, days: int) -> list[Difference]:
    """Where the aggregates are not what the archive says; empty when all is well. The archive is kept for `days`.

    While the jobs run, the archive may be behind by what is on its way: ask again before you believe a difference.
    """
    return [Difference(*row) for row in client.query(sql.read("queries/audit"), {"days": days}).result_rows]


def block_runs(client: Client, days: int) -> list[Run]:
    """The listed blocks that the archive, kept for `days`, still holds whole, in runs for one statement each."""
    partitions: dict[tuple[UUID, int], list[int]] = {}
    for topic_id, partition, block, _ in client.query(sql.read("queries/listed_blocks"), {"days": days}).result_rows:
        partitions.setdefault((topic_id, partition), []).append(block)
    return [
        Run(topic_id, partition, blocks[start], blocks[start : start + BLOCKS_A_STATEMENT][-1])
        for (topic_id, partition), blocks in partitions.items()
        for start in range(0, len(blocks), BLOCKS_A_STATEMENT)
    ]


def rebuild_aggregates(client: Client, run: Run) -> None:
    """Counts the blocks of the run anew; rows that are there already stay as they are, or become right."""
    client.command(sql.read("inserts/rebuild_aggregates"), {**run._asdict(), "topic_id": str(run.topic_id)})


def archived_partitions(client: Client) -> list[ArchivedPartition]:
    """The partitions of the log that the archive knows."""
    return [ArchivedPartition(*row) for row in client.query(sql.read("queries/archived_partitions")).result_rows]


def rebuild_profiles(client: Client, store: ProfileStore, source: ArchivedPartition) -> Iterator[int]:
    """Adds the partition's archived events to the store; yields how many rows each step took."""
    parameters = {"topic_id": str(source.topic_id), "partition": source.partition}
    with client.query_arrow_stream(sql.read("queries/archived_events"), parameters) as stream:
        for part in stream:
            for events in pa.Table.from_batches([part]).cast(PLACED_SCHEMA).to_batches():
                store.update(updates_of(events, source.topic_id, source.partition))
                yield events.num_rows
