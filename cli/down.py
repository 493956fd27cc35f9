"""`tidewatch down`: nothing runs when this returns."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch down
  TIDEWATCH_STATE_DIR=var/demo tidewatch down     the stack on another state folder
"""


@click.command(epilog=EXAMPLES)
def command() -> None:
    """Stop everything in order: API, alerts, Flink, ClickHouse, Kafka. State stays; `up` goes on from it.

    Also ends what a supervisor that was killed has left behind. Returns when no process and no port is left.
    """
    from cli.supervision import stop
    from contracts.settings_source import load

    settings = load()
    was_up = stop(settings)
    click.echo("down" if was_up else f"was not up ({settings.state_path})")
