"""`tidewatch alerts`: what fires, and what to do about it."""

import click

from cli import incidents
from cli.alert_feed import tail

EXAMPLES = """
\b
Examples:
  tidewatch alerts tail --all --json                        the feed, one JSON object a line
  tidewatch alerts list                                     what fires now
  tidewatch alerts ack 5f0c --comment "looking"             take it: escalation ends
  tidewatch alerts silence shop=a 'code=~"-1.*"' --for 2h   nothing new is told of these
  tidewatch alerts unsilence 77aa
  tidewatch alerts oncall
  tidewatch alerts test pager                               is this receiver reached?
"""


@click.group(epilog=EXAMPLES)
def command() -> None:
    """Show alerts, take them, silence them, and see who is on call.

    An id may be shortened, as long as it is clear which is meant.
    """


for subcommand in (tail, *incidents.COMMANDS):
    command.add_command(subcommand)
