"""`tidewatch alerts`: the feed of alerts."""

import click

from cli import alert_feed

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


command.add_command(alert_feed.tail)
