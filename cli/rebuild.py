"""`tidewatch rebuild`: what is derived, made anew from the archive."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch rebuild aggregates      count all listed blocks of the log anew
  tidewatch rebuild profiles        put all archived events into the profile store
  tidewatch rebuild aggregates profiles

The platform may go on meanwhile: rows and profiles that are right already stay as they are.
"""

WHAT = ("aggregates", "profiles")


@click.command(epilog=EXAMPLES)
@click.argument("what", type=click.Choice(WHAT), nargs=-1, required=True)
def command(what: tuple[str, ...]) -> None:
    """Make aggregates or profiles anew from the archive, as far back as it is kept.

    To read the log again instead, deploy with `tidewatch deploy --rebuild`.
    """
    if "aggregates" in what:
        _aggregates()
    if "profiles" in what:
        _profiles()


def _aggregates() -> None:
    from rich.progress import track

    from contracts.settings import load
    from stores import archive, clickhouse

    settings = load()
    with clickhouse.connect(settings, timeout=600) as client:
        runs = archive.block_runs(client, settings.clickhouse.archive_days)
        for run in track(runs, "counting blocks"):
            archive.rebuild_aggregates(client, run)
        click.echo(f"{archive.totals(client).counted} events are counted; `tidewatch audit` compares")


def _profiles() -> None:
    from rich.progress import Progress

    from contracts.settings import load
    from stores import archive, clickhouse
    from stores.profiles import open_store

    settings = load()
    store = open_store(settings, writable=True)
    with clickhouse.connect(settings, timeout=600) as client, Progress() as progress:
        partitions = archive.archived_partitions(client)
        task = progress.add_task("merging events", total=sum(partition.rows for partition in partitions))
        for partition in partitions:
            for rows in archive.rebuild_profiles(client, store, partition):
                progress.advance(task, rows)
    store.close()
    click.echo(f"{sum(partition.rows for partition in partitions)} archived events are in the profiles")
