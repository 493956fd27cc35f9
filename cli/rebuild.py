"""`tidewatch rebuild`: what is derived, made anew from the archive, and the archive from the log."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch rebuild aggregates      count all listed blocks of the log anew
  tidewatch rebuild profiles        put all events into the profile store
  tidewatch rebuild bins            count all listed blocks of points anew
  tidewatch rebuild archive         archive again what the log still holds, and say since when that is
  tidewatch rebuild archive aggregates profiles

The platform may go on meanwhile: rows and profiles that are right already stay as they are.
"""

WHAT = ("archive", "aggregates", "profiles", "bins")


@click.command(epilog=EXAMPLES)
@click.argument("what", type=click.Choice(WHAT), nargs=-1, required=True)
@click.option("--wait", default=30.0, show_default=True, help="Seconds to let writes that are on their way arrive.")
def command(what: tuple[str, ...], wait: float) -> None:
    """Make aggregates, profiles, or bins of points anew from the archive, or the archive of user tags from the log, as
    far back as they are kept.

    To read the log again instead, deploy with `tidewatch deploy --rebuild`.
    """
    if "archive" in what:
        _archive()
    if "aggregates" in what:
        _aggregates(wait)
    if "profiles" in what:
        _profiles()
    if "bins" in what:
        _bins(wait)


def _archive() -> None:
    from cli.rebuilding import refill_archive
    from contracts.settings_source import load
    from stores import clickhouse

    settings = load()
    with clickhouse.connect(settings, timeout=600) as client:
        for refilled in refill_archive(settings, client):
            click.echo(str(refilled))


def _aggregates(wait: float) -> None:
    import time

    from cli.rebuilding import recount
    from contracts.settings_source import load
    from stores import archive, clickhouse

    settings = load()
    with clickhouse.connect(settings, timeout=600) as client:
        found = recount(client, settings.clickhouse.archive_days, time.monotonic() + wait)
        click.echo(f"{archive.totals(client).counted} events are counted")
    if found:
        click.echo(f"{found} differences to the archive remain: `tidewatch audit` shows them")
        raise SystemExit(1)


def _profiles() -> None:
    from cli.rebuilding import refill_profiles
    from contracts.settings_source import load
    from stores import clickhouse
    from stores.profiles import open_store

    settings = load()
    store = open_store(settings, writable=True)
    with clickhouse.connect(settings, timeout=600) as client:
        merged = refill_profiles(settings, client, store)
    store.close()
    click.echo(str(merged))


def _bins(wait: float) -> None:
    import time

    from cli import rule_topic
    from cli.rebuilding_bins import recount
    from contracts import watched_bins
    from contracts.settings_source import load
    from stores import clickhouse, point_archive

    settings = load()
    watched, problems = watched_bins.from_records(rule_topic.read(settings))
    for problem in problems:
        click.echo(f"bins are not counted: {problem}", err=True)
    with clickhouse.connect(settings, timeout=600) as client:
        found = recount(client, settings, watched, time.monotonic() + wait)
        click.echo(f"{point_archive.totals(client).counted} points are counted")
    if found:
        click.echo(f"{found} differences to the points remain: `tidewatch audit` shows them")
        raise SystemExit(1)
