"""One look at all live incidents: from what is known of them to what goes out. Reads top to bottom, a stage a line."""

from sqlalchemy import Connection

from alerts import escalate, flap, group, inhibit, outbox, route, settle, silence
from alerts.case import Case, Look
from alerts.config import Config
from stores import alert_incidents, alert_outbox, alert_silences


def run(connection: Connection, config: Config, now: int) -> int | None:
    """In one transaction: decides, puts into the outbox, and saves how far people were told. Doing it twice at the same
    time tells nothing twice.

    Returns when there will be something to do, if nothing else happens before; None when there will not.
    """
    look = Look(now, config, alert_silences.silences(connection, now))
    cases = _cases(connection)
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
    _save(connection, cases, look)
    return look.next


def _cases(connection: Connection) -> list[Case]:
    cases = {incident.id: Case(incident) for incident in alert_incidents.live(connection)}
    for routed in alert_incidents.routed(connection, cases):
        cases[routed.incident].routed[routed.route] = routed
    for incident, acknowledgement in alert_incidents.acknowledgements(connection, cases).items():
        cases[incident].acknowledgement = acknowledgement
    return list(cases.values())


def _save(connection: Connection, cases: list[Case], look: Look) -> None:
    alert_incidents.save(connection, [case.incident for case in cases])
    alert_incidents.save_routed(connection, [routed for case in cases for routed in case.routed.values()])
    for case in cases:
        if case.incident.done and not case.told:
            alert_incidents.note(connection, case.incident.id, look.now, "not told", settle.reason(case, look))
