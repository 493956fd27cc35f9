"""`tidewatch rollup`: hours, days, weeks and months of metrics, made now."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch rollup                  what came since the last run; the supervisor does it every five minutes

Without a supervisor, as on Kubernetes, run it by the clock. Running it twice, or two at once, is harmless.
"""


@click.command(epilog=EXAMPLES)
def command() -> None:
    """Make rollups of the metrics that came since the last run."""
    from contracts.settings import load
    from stores import rollups

    rolled = rollups.roll_up(load())
    click.echo(f"{rolled.hours} hours rolled up, {rolled.sketches} sketched")
