"""Subcommands of `tidewatch alerts` over the alert store: what fires, who has it, what is silenced. They need no API.

An id may be shortened, as long as it is clear which is meant.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:  # imports that --help shall not wait for
    from stores.alert_incidents import Acknowledgement, Incident
    from stores.alerts import AlertStore

Found = TypeVar("Found")
TEST_SECONDS = 30.0
POLL_SECONDS = 0.2


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.option("--limit", default=50, show_default=True, help="At most so many, the newest first.")
def list_(everything: bool, limit: int) -> None:
    """The alerts that fire, the newest first."""
    from stores import alert_incidents
    from stores.alert_incidents import Filter

    with _store().reading() as connection:
        incidents = alert_incidents.listed(connection, Filter(None if everything else "firing"), limit)
        owners = alert_incidents.acknowledgements(connection, [incident.id for incident in incidents])
    for incident in incidents:
        click.echo(_line(incident, owners.get(incident.id)))
    if not incidents:
        click.echo("no alerts" if everything else "nothing fires")


@click.command()
@click.argument("alert")
@click.option("--by", default=None, help="Who takes it; by default the name of your account.")
@click.option("--comment", default="", help="For those who look at it later.")
def ack(alert: str, by: str | None, comment: str) -> None:
    """Take an ALERT: escalation ends, and those who were told of it hear that you have it."""
    import getpass

    from stores import alert_incidents
    from stores.alert_incidents import Acknowledgement

    who = Acknowledgement(by or getpass.getuser(), _now(), comment)
    with _store().writing() as connection:
        found = [one for one in alert_incidents.live(connection) if one.id.startswith(alert)]
        incident = _only([one for one in found if one.firing], "alert that fires", alert)
        owner = alert_incidents.acknowledge(connection, incident.id, who)
    if owner.by != who.by:
        raise click.ClickException(f"{owner.by} has it already")
    click.echo(f"{owner.by} has {incident.alert.rule} ({incident.id})")


@click.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "length", default="1h", show_default=True, help="How long, such as 30m or 1d.")
@click.option("--by", default=None, help="Who says so; by default the name of your account.")
@click.option("--comment", default="", help="Why.")
def silence(matchers: tuple[str, ...], length: str, by: str | None, comment: str) -> None:
    """Tell nothing new of alerts that fulfil all MATCHERS, such as severity=info or 'shop=~"a|b"'."""
    import getpass
    import uuid

    from alerts.fields import milliseconds
    from contracts.matchers import parse
    from stores import alert_silences
    from stores.alert_silences import Silence

    now = _now()
    try:
        chosen, ends_at = [parse(text) for text in matchers], now + milliseconds(length)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    made = Silence(uuid.uuid4().hex, chosen, now, ends_at, by or getpass.getuser(), comment, now)
    with _store().writing() as connection:
        alert_silences.add(connection, made)
    click.echo(f"silenced for {length}: {', '.join(map(str, chosen))} ({made.id})")


@click.command()
@click.argument("silence", required=False)
def unsilence(silence: str | None) -> None:
    """End a SILENCE; without one, show those there are."""
    from stores import alert_silences

    now = _now()
    with _store().writing() as connection:
        known = alert_silences.silences(connection, now)
        if silence is not None:
            found = _only([one for one in known if one.id.startswith(silence)], "silence", silence)
            alert_silences.end(connection, found.id, now)
            known = [found]
    for one in known:
        left = (one.ends_at - now) / 60_000
        said = "ended" if silence is not None else f"{left:.0f} min left"
        click.echo(f"{one.id}  {', '.join(map(str, one.matchers))}  by {one.created_by}, {said}  {one.comment}")
    if not known:
        click.echo("no silences")


@click.command()
def oncall() -> None:
    """Who is called now, by schedule."""
    from contracts.times import format_seconds
    from stores import alert_silences

    now = _now()
    with _store().reading() as connection:
        shifts = alert_silences.shifts(connection, now, now + 1)
    for shift in shifts:
        click.echo(f"{shift.schedule:20} {shift.person:20} until {format_seconds(shift.ends_at)}Z")
    if not shifts:
        click.echo("nobody: the file of routes has no schedules, or the alert service has not read it yet")


@click.command()
@click.argument("receiver")
def test(receiver: str) -> None:
    """Have the alert service send a test to a RECEIVER, and show what became of it."""
    import uuid

    from stores import alert_outbox
    from stores.alert_outbox import Letter

    store = _store()
    letter = Letter(f"test-{uuid.uuid4().hex}", receiver, None, "test", uuid.uuid4().hex, payload="")
    with store.writing() as connection:
        number = alert_outbox.request(connection, letter, _now())
    deadline = time.monotonic() + TEST_SECONDS
    while True:
        with store.reading() as connection:
            sending = alert_outbox.sending(connection, number)
        if sending is not None and sending.state == "sent":
            click.echo(f"{receiver} has taken it")
            return
        if sending is None or sending.state == "failed" or time.monotonic() > deadline:
            reason = sending.error if sending and sending.error else "the alert service has not sent it: does it run?"
            raise click.ClickException(f"{receiver} was not reached: {reason}")
        time.sleep(POLL_SECONDS)


COMMANDS = (list_, ack, silence, unsilence, oncall, test)


def _store() -> AlertStore:
    from contracts.settings_source import load
    from stores.alerts import open_store

    return open_store(load())


def _now() -> int:
    return time.time_ns() // 1_000_000


def _only(found: list[Found], what: str, name: str) -> Found:
    if len(found) != 1:
        raise click.ClickException(f"{'no' if not found else 'more than one'} {what} has an id that begins with {name}")
    return found[0]


def _line(incident: Incident, owner: Acknowledgement | None) -> str:
    from contracts.times import format_seconds

    alert = incident.alert
    labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    state = alert.status if owner is None else f"{alert.status}, {owner.by} has it"
    since = format_seconds(alert.starts_at)
    return f"{incident.id}  {alert.severity:8} {alert.rule}  {labels}  since {since}Z  {state}\n    {alert.summary}"
