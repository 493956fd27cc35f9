"""`tidewatch audit`: does every aggregate say what the archive says?"""

import time

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
    """Compare archive and aggregates, by block of the log, minute and action: counts and sums of price."""
    from contracts.settings import load
    from stores import archive, clickhouse

    settings = load()
    days = settings.clickhouse.archive_days
    with clickhouse.connect(settings, timeout=300) as client:
        deadline = time.monotonic() + wait
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
        )
    if found:
        click.echo(f"{len(found)} differences; `tidewatch rebuild aggregates` counts the archive anew")
        raise SystemExit(1)
    click.echo("archive and aggregates are equal")
