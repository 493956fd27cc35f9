"""`tidewatch alerts tail`: the feed of alerts, as it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.alerts import Alert
    from contracts.settings import Settings


@click.command()
@click.option("--all", "everything", is_flag=True, help="Begin with what the topic holds.")
@click.option("--json", "as_json", is_flag=True, help="The messages as they are, one a line.")
def tail(everything: bool, as_json: bool) -> None:
    """Print alerts as they begin and end, until Ctrl-C."""
    from contracts.settings_source import load

    for line in lines(load(), everything=everything, as_json=as_json):
        click.echo(line)


def lines(settings: Settings, *, everything: bool, as_json: bool) -> Iterator[str]:
    """A line a change, for ever."""
    import msgspec

    from contracts import alerts
    from infra import topic_records

    for message in topic_records.follow(settings, settings.topics.alerts, beginning=everything):
        value = message.value() or b""
        try:
            yield value.decode() if as_json else words(alerts.decode(value))
        except msgspec.DecodeError as error:
            yield f"not an alert: {error}"


def words(alert: Alert) -> str:
    """When it began or ended, how bad it is, and its summary."""
    from contracts.times import format_seconds

    at = alert.starts_at if alert.ends_at is None else alert.ends_at
    return f"{format_seconds(at)}Z {alert.status:8} {alert.severity:9} {alert.rule}: {alert.summary}"
