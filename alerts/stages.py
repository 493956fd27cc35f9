"""One look at all live incidents: from what is known of them to what goes out. Reads top to bottom, a stage a line."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from alerts import escalate, flap, group, inhibit, outbox, route, settle, silence
from alerts.case import Case, Look
from alerts.config import Config
from stores import alert_incidents, alert_outbox, alert_silences
from stores.alert_incidents import Incident, Routed


def run(connection: Connection, config: Config, now: int) -> int | None:
    """In one transaction: decides, puts into the outbox, and saves how far people were told. Doing it twice at the same
    time tells nothing twice.

    Returns when there will be something to do, if nothing else happens before; None when there will not.
    """
    look = Look(now, config, alert_silences.silences(connection, now))
    cases, stored = _cases(connection)
    route.assign(cases, look)
    silence.mute(cases, look)
    inhibit.mute(cases, look)
    flap.hold(cases, look)
    notices = outbox.enqueue(connection, group.flush(cases, look), look)
    notices += outbox.enqueue(connection, escalate.climb(cases, look), look)
    told = alert_outbox.told(connection, [case.incident.id for case in cases])
    notices += outbox.enqueue(connection, escalate.acknowledged(cases, told), look)
    notices += outbox.enqueue(connection, settle.close(cases, look, told), look)
    if notices:
        look.again(now + 1)  # what was told may have something follow, such as a reminder
    _save(connection, cases, stored, look)
    return look.next


class Stored(NamedTuple):
    """The rows as they were read, so that only what has changed is written."""

    incidents: dict[str, Incident]
    routed: dict[tuple[str, str], Routed]


def _cases(connection: Connection) -> tuple[list[Case], Stored]:
    cases = {incident.id: Case(incident) for incident in alert_incidents.live(connection)}
    routed = alert_incidents.routed(connection, cases)
    stored = Stored(
        {name: replace(case.incident) for name, case in cases.items()},
        {(row.incident, row.route): replace(row) for row in routed},
    )
    for row in routed:
        cases[row.incident].routed[row.route] = row
    for incident, acknowledgement in alert_incidents.acknowledgements(connection, cases).items():
        cases[incident].acknowledgement = acknowledgement
    return list(cases.values()), stored


def _save(connection: Connection, cases: list[Case], stored: Stored, look: Look) -> None:
    incidents = [case.incident for case in cases]
    routed = [row for case in cases for row in case.routed.values()]
    alert_incidents.save(connection, [one for one in incidents if one != stored.incidents[one.id]])
    alert_incidents.save_routed(
        connection, [row for row in routed if row != stored.routed.get((row.incident, row.route))]
    )
    for case in cases:
        if case.incident.done and not case.told:
            alert_incidents.note(connection, case.incident.id, look.now, "not told", settle.reason(case, look))
