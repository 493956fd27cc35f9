"""Hours, days, weeks and months of every series, made of bins in ClickHouse itself, and sketches made of points.

A rollup is made anew whenever bins came to its time, as a whole, from the bins of one day of ingestion. So running
again, twice at once, or after an interruption changes nothing, and rollups stay when what they were made of is dropped.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from clickhouse_connect.driver.client import Client

import sql
from contracts.settings import Settings
from contracts.times import DAY_MS, EPOCH
from stores import clickhouse

# An insert into bins is noted when it begins and can be read when it ends: what was noted so long before the last run
# is looked at again. The queries that choose between rollups and bins say the same.
OVERLAP_MS: Final = 60_000
HOURS_A_STATEMENT: Final = 168  # bounds the memory of one: it holds a row for each hour and series
TIMEOUT_SECONDS: Final = 600.0
_PERIODS: Final = {"day": "hour", "week": "day", "month": "day"}  # what each is made from

Due = tuple[date, Sequence[int]]  # day of ingestion, hours in epoch seconds


class Rolled(NamedTuple):
    """How many hours, by day of ingestion, a run made rollups and sketches of."""

    hours: int
    sketches: int


def roll_up(settings: Settings) -> Rolled:
    """Makes what came since the last run a part of the rollups. Raises ClickHouseError; what was done stays done."""
    with clickhouse.connect(settings, timeout=TIMEOUT_SECONDS) as client:
        now, through = client.query(sql.read("admin/rollup_clock")).result_rows[0]
        hours = list(_due(client, "due_rollups", {"since": through - OVERLAP_MS}))
        for day, some in hours:
            _roll(client, day, some)
        days = days_to_sketch([day for day, _ in hours], through, now, settings.clickhouse.points_days)
        sketches = list(_due(client, "due_sketches", {"days": days})) if days else []
        for day, some in sketches:
            client.command(sql.read("inserts/roll_up_sketches"), {"day": day, "hours": some})
        client.command(sql.read("inserts/rollup_run"), {"through": now})
    return Rolled(sum(len(some) for _, some in hours), sum(len(some) for _, some in sketches))


def _due(client: Client, statement: str, parameters: dict[str, Any]) -> Iterator[Due]:
    """In pieces of HOURS_A_STATEMENT at most."""
    rows = client.query(sql.read(f"admin/{statement}"), parameters).result_rows
    for day, of_day in groupby(rows, lambda row: row[0]):
        hours = [hour for _, hour in of_day]
        for first in range(0, len(hours), HOURS_A_STATEMENT):
            yield day, hours[first : first + HOURS_A_STATEMENT]


def _roll(client: Client, day: date, hours: Sequence[int]) -> None:
    asked = {"day": day, "hours": hours}
    client.command(sql.read("inserts/roll_up_hours"), asked)
    for period, shorter in _PERIODS.items():
        client.command(sql.read("inserts/roll_up_periods"), {**asked, "period": period, "shorter": shorter})


def days_to_sketch(touched: Sequence[date], through: int, now: int, kept: int) -> list[date]:
    """Days of ingestion that are over and whose points are there: of the touched, and of those since the last run.

    `through` and `now` in epoch milliseconds; `kept`: for how many days points are.
    """
    today = now // DAY_MS
    first = today - kept + 1
    ended = range(max(through // DAY_MS, first), today)
    days = {*touched, *(EPOCH.date() + timedelta(days=day) for day in ended)}
    return sorted(day for day in days if first <= (day - EPOCH.date()).days < today)
