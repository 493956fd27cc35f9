"""`tidewatch audit`: does every aggregate, and every bin, say what the archive says?"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

import click

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EXAMPLES = """
\b
Examples:
  tidewatch audit                   exit status 0 when all is equal, 1 when not
  tidewatch audit --wait 0          judge what is there this moment
"""


SHOWN: Final = 20  # differences
Places: TypeAlias = dict[tuple[UUID, int], tuple[int, int]]  # by (topic id, partition): archived up to, listed up to


@click.command(epilog=EXAMPLES)
@click.option("--wait", default=30.0, show_default=True, help="Seconds to let writes that are on their way arrive.")
def command(wait: float) -> None:
    """Compare archive and aggregates, by block of the log, minute and action: counts, sums of price, groups; and points
    and their bins, by block and minute: counts, series, sums but for what rounding leaves open.
    """
    from contracts.settings_source import load
    from stores import clickhouse

    settings = load()
    with clickhouse.connect(settings, timeout=300) as client:
        tags = _tags(client, settings.clickhouse.archive_days, time.monotonic() + wait)
        points = _points(client, settings.clickhouse.points_days, time.monotonic() + wait)
    if not (tags and points):
        raise SystemExit(1)


def _tags(client: "Client", days: int, deadline: float) -> bool:
    """Whether all is well; says what is not."""
    from stores import archive

    stuck = _waited(lambda: archive.behind(client), deadline)
    while (found := archive.differences(client, days)) and time.monotonic() < deadline:
        time.sleep(1)
    totals = archive.totals(client)
    click.echo(f"{totals.archived} events archived, {totals.counted} counted, in {totals.blocks} blocks of the log")
    for difference in found[:SHOWN]:
        click.echo(
            f"topic {difference.topic_id} partition {difference.partition} block {difference.block} "
            f"{difference.minute} {difference.action}: "
            f"{difference.archived_count} events archived, {difference.counted} counted; "
            f"price {difference.archived_price} archived, {difference.counted_price} counted"
            + ("" if difference.same_groups else "; origins, brands or categories differ")
        )
    return _judged(stuck, len(found), "archive and aggregates", "aggregates", "archive")


def _points(client: "Client", days: int, deadline: float) -> bool:
    """Whether all is well; says what is not."""
    from stores import archive, point_archive

    stuck = _waited(lambda: archive.behind(client, archive.POINTS), deadline)
    while (found := point_archive.differences(client, days)) and time.monotonic() < deadline:
        time.sleep(1)
    totals = point_archive.totals(client)
    click.echo(f"{totals.archived} points kept, {totals.counted} counted, in {totals.blocks} blocks of the log")
    for difference in found[:SHOWN]:
        click.echo(
            f"topic {difference.topic_id} partition {difference.partition} block {difference.block} "
            f"{difference.minute}: {difference.archived_count} points kept, {difference.counted} counted; "
            f"sum {difference.archived_sum} kept, {difference.counted_sum} counted"
            + ("" if difference.same_series else "; series differ")
        )
    return _judged(stuck, len(found), "points and bins", "bins", "points")


def _waited(behind: Callable[[], Places], deadline: float) -> Places:
    """What still stands where it stood when the deadline is over."""
    before = behind()
    while (stuck := _stuck(before, behind())) and time.monotonic() < deadline:
        time.sleep(1)
    return stuck


def _judged(stuck: Places, differences: int, both: str, derived: str, truth: str) -> bool:
    for (topic_id, partition), (archived, listed) in stuck.items():
        click.echo(f"topic {topic_id} partition {partition}: archived up to offset {archived}, counted up to {listed}")
    if stuck:
        click.echo(f"the {derived} stand still: see `tidewatch status` and `tidewatch logs flink-taskmanager`")
    elif differences:
        click.echo(f"{differences} differences; `tidewatch rebuild {derived}` counts the {truth} anew")
    else:
        click.echo(f"{both} are equal")
    return not (stuck or differences)


def _stuck(before: Places, now: Places) -> Places:
    """Of what was archived `before`, the partitions of which no block lists it yet."""
    return {place: before[place] for place, (_, listed) in now.items() if place in before and listed < before[place][0]}
