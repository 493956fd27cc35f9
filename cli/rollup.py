"""`tidewatch rollup`: hours, days, weeks and months of metrics, made now."""

import time

import click

EXAMPLES = """
\b
Examples:
  tidewatch rollup                  what came since the last run; the supervisor does it every five minutes
  tidewatch rollup --every 300      the same again and again, where no supervisor runs

Running it twice, or two at once, is harmless.
"""


@click.command(epilog=EXAMPLES)
@click.option("--every", type=click.FloatRange(min=1), help="Seconds from run to run; without it there is one.")
def command(every: float | None) -> None:
    """Make rollups of the metrics that came since the last run."""
    from contracts.settings_source import load
    from stores import rollups

    settings = load()
    while True:
        rolled = rollups.roll_up(settings)
        click.echo(f"{rolled.hours} hours rolled up, {rolled.sketches} sketched")
        if every is None:
            return
        time.sleep(every)
