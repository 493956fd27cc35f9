"""`tidewatch alerts`: the feed of alerts."""

import click

EXAMPLES = """
\b
Examples:
  tidewatch alerts tail              alerts as they begin and end, until Ctrl-C
  tidewatch alerts tail --all        those that the topic holds first
  tidewatch alerts tail --json       one JSON object a line, for programs
"""


@click.group(epilog=EXAMPLES)
def command() -> None:
    """Alerts, as they are published on the topic `alerts`."""


@command.command()
@click.option("--all", "everything", is_flag=True, help="Begin with what the topic holds.")
@click.option("--json", "as_json", is_flag=True, help="The messages as they are.")
def tail(everything: bool, as_json: bool) -> None:
    """Print alerts as they come."""
    import msgspec

    from contracts import alerts
    from contracts.settings import load
    from contracts.times import format_seconds
    from infra import topic_records

    settings = load()
    for message in topic_records.follow(settings, settings.topics.alerts, beginning=everything, wait=1.0):
        value = None if message is None else message.value()
        if value is None:
            continue
        if as_json:
            click.echo(value.decode())
            continue
        try:
            alert = alerts.decode(value)
        except msgspec.DecodeError as error:
            click.echo(f"not an alert: {error}", err=True)
            continue
        at = format_seconds(alert.starts_at if alert.ends_at is None else alert.ends_at)
        click.echo(f"{at}Z {alert.status:8} {alert.severity:8} {alert.rule}: {alert.summary}")
