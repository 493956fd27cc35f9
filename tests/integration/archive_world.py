"""A topic's archive and what was counted from it, as the pipelines' own functions write both; and commands on it."""

import time
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from analysis.counting import fold
from cli import audit, rebuild
from contracts import coded
from contracts.codec import Record, decode, encode_lines
from contracts.settings import Settings
from stores import archive
from stores import clickhouse as sessions
from testbed.generator import Traffic

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink, which these import, uses at import much that is deprecated
    from jobs.aggregates import aggregate_rows, block_rows
    from jobs.archive import archive_rows

PARTITIONS = 2


@dataclass(frozen=True)
class World:
    """A database that holds a topic's archive and what was counted from it."""

    settings: Settings
    topic_id: UUID
    logs: list[list[Record]]  # by partition

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with sessions.connect(self.settings) as client:
            return [tuple(row) for row in client.query(statement).result_rows]

    def command(self, statement: str) -> None:
        with sessions.connect(self.settings) as client:
            client.command(statement)

    def insert(self, *rows_of_tables: tuple[str, pa.Table]) -> None:
        with sessions.connect(self.settings) as client:
            for table, rows in rows_of_tables:
                client.insert_arrow(table, rows)


def make_log(traffic: Traffic, partition: int, ingested: int) -> list[Record]:
    """Twelve records over three minutes, tags up to a minute late."""
    log = []
    for number in range(12):
        timestamp = traffic.start_ms + number * 15_000
        first = max(0, number * 15_000 - 60_000 * (number % 2)) + partition
        tags = [traffic.tag(first + step * 700) for step in range(20)]
        log.append(Record(10 + number * 3, timestamp, ingested + number, encode_lines(tags)))
    return log


@cache
def logs() -> list[list[Record]]:
    """Of each partition; the traffic is seeded, and takes a second to make."""
    ingested = int(time.time() * 1000) - 3_600_000
    return [make_log(Traffic(partition, cookies=5), partition, ingested) for partition in range(PARTITIONS)]


def fill(own: Settings) -> World:
    """Everything archived and counted."""
    made = World(own, uuid4(), logs())
    for partition, log in enumerate(made.logs):
        counts = fold(None, log).counts
        rows = [aggregate_rows(count, made.topic_id, partition) for count in counts]
        made.insert(
            ("user_tags", archive_rows(decode(log).events, made.topic_id, partition)),
            ("aggregates_1m", coded.table(rows, rows[0].schema)),
            ("blocks", block_rows(counts, made.topic_id, partition)),
        )
    return made


def audited() -> Result:
    return CliRunner().invoke(audit.command, ["--wait", "0"])


def rebuilt(*what: str, status: int = 0) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "BLOCKS_A_STATEMENT", 2)  # several runs of blocks a partition
        result = CliRunner().invoke(rebuild.command, [*what, "--wait", "0"])
    assert result.exit_code == status, result.output
    return result.output
