"""`tidewatch audit`: does every aggregate say what the archive says?"""

import time
from uuid import UUID

import click

EXAMPLES = """
\b
Examples:
  tidewatch audit                   exit status 0 when archive and aggregates are equal, 1 when not
  tidewatch audit --wait 0          judge what is there this moment
"""


@click.command(epilog=EXAMPLES)
@click.option("--wait", default=30.0, show_default=True, help="Seconds to let writes that are on their way arrive.")
def command(wait: float) -> None:
    """Compare archive and aggregates, by block of the log, minute and action: counts, sums of price, groups."""
    from contracts.settings import load
    from stores import archive, clickhouse

    settings = load()
    days = settings.clickhouse.archive_days
    with clickhouse.connect(settings, timeout=300) as client:
        deadline = time.monotonic() + wait
        before = archive.behind(client)
        while (stuck := _stuck(before, archive.behind(client))) and time.monotonic() < deadline:
            time.sleep(1)
        while (found := archive.differences(client, days)) and time.monotonic() < deadline:
            time.sleep(1)
        totals = archive.totals(client)
    click.echo(f"{totals.archived} events archived, {totals.counted} counted, in {totals.blocks} blocks of the log")
    for difference in found[:20]:
        click.echo(
            f"topic {difference.topic_id} partition {difference.partition} block {difference.block} "
            f"{difference.minute} {difference.action}: "
            f"{difference.archived_count} events archived, {difference.counted} counted; "
            f"price {difference.archived_price} archived, {difference.counted_price} counted"
            + ("" if difference.same_groups else "; origins, brands or categories differ")
        )
    for (topic_id, partition), (archived, listed) in stuck.items():
        click.echo(f"topic {topic_id} partition {partition}: archived up to offset {archived}, counted up to {listed}")
    if stuck:
        click.echo("the aggregates stand still: see `tidewatch status` and `tidewatch logs flink-taskmanager`")
        raise SystemExit(1)
    if found:
        click.echo(f"{len(found)} differences; `tidewatch rebuild aggregates` counts the archive anew")
        raise SystemExit(1)
    click.echo("archive and aggregates are equal")


def _stuck(
    before: dict[tuple[UUID, int], tuple[int, int]], now: dict[tuple[UUID, int], tuple[int, int]]
) -> dict[tuple[UUID, int], tuple[int, int]]:
    """Of what was archived `before`, the partitions that the aggregates have not listed yet."""
    return {place: before[place] for place, (_, listed) in now.items() if place in before and listed < before[place][0]}
