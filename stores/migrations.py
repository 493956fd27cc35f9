"""Brings ClickHouse's tables to the state of `sql/migrations/`: each file once, in order, recorded."""

from clickhouse_connect.driver.client import Client

import sql
from contracts.names import MIGRATIONS_TABLE
from contracts.settings import Settings
from stores import clickhouse


def apply(settings: Settings) -> list[str]:
    """Creates the database when missing, applies what was not yet applied, sets how long rows are kept.

    Returns the names of the newly applied migrations. A migration is one statement and is recorded after it ran: one
    that was cut off in between runs again and fails on what exists, so migrations say IF NOT EXISTS.
    """
    with clickhouse.connect(settings, database="") as client:
        client.command(sql.read("admin/create_database"), {"database": settings.clickhouse.database})
    with clickhouse.connect(settings) as client:
        client.command(sql.read("admin/create_migrations"))
        applied = {row[0] for row in client.query(sql.read("admin/applied_migrations")).result_rows}
        missing = [name for name in sql.names("migrations") if name not in applied]
        for name in missing:
            client.command(sql.read(name))
            client.insert(MIGRATIONS_TABLE, [[name]], column_names=["name"])
        _set_retention(client, settings)
    return missing


def _set_retention(client: Client, settings: Settings) -> None:
    client.command(sql.read("admin/keep_user_tags"), {"days": settings.clickhouse.archive_days})
    client.command(sql.read("admin/keep_aggregates_1m"), {"days": settings.clickhouse.aggregates_days})
    client.command(sql.read("admin/keep_blocks"), {"days": settings.clickhouse.aggregates_days})
    kept = settings.clickhouse
    client.command(sql.read("admin/keep_points"), {"days": kept.points_days})
    client.command(sql.read("admin/keep_bins"), {"days": kept.bins_days, "fine_days": kept.fine_bins_days})
    client.command(sql.read("admin/keep_point_blocks"), {"days": kept.bins_days})
    client.command(sql.read("admin/keep_touched_hours"), {"days": kept.bins_days})
    hours, days = kept.hour_rollups_days, kept.day_rollups_days
    weeks, months = kept.week_rollups_days, kept.month_rollups_days
    by_period = {"hour_days": hours, "day_days": days, "week_days": weeks, "month_days": months}
    client.command(sql.read("admin/keep_rollups"), by_period)
    client.command(sql.read("admin/keep_sketches"), {"days": hours})
    longest = max(kept.points_days, kept.bins_days, hours, days, weeks, months)
    client.command(sql.read("admin/keep_point_series"), {"days": longest + 1})
    client.command(sql.read("admin/keep_scored_bins"), {"days": settings.detection.scores_days})
