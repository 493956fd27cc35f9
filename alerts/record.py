"""Messages of the topic become incidents: the same one twice, or an old one late, changes nothing.

An incident goes from firing to resolved and never back; its severity only gets worse. Nothing here goes by the clock:
as long as no message says that it is over, it is not, whatever is missing.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection

from alerts import flap
from alerts.case import worse
from alerts.config import Flapping
from contracts.alerts import Alert
from stores import alert_incidents
from stores.alert_incidents import Incident

UNHEARD: Final = "its end was the first that was heard of it"


def record(connection: Connection, messages: Iterable[Alert], flapping: Flapping, now: int) -> int:
    """Applies the messages in their order; returns how many changed something."""
    changed = 0
    for message in messages:
        incident = _known(connection, message)
        if incident is None:
            changed += _open(connection, message, flapping, now)
        else:
            changed += _apply(connection, incident, message, now)
            if message.status == "resolved" and message.id == incident.id:
                _split(connection, message, flapping, now)
    return changed


def record_first(connection: Connection, messages: Iterable[Alert], flapping: Flapping, now: int) -> int:
    """Of a topic that is read for the first time, all at once: what is over already is kept, and told to nobody."""
    newest: dict[str, Alert] = {}
    for message in messages:
        if message.id not in newest or newest[message.id].status == "firing":
            newest[message.id] = message
    return record(connection, newest.values(), flapping, now)


def _known(connection: Connection, message: Alert) -> Incident | None:
    """By its id; else the incident of the same rule and labels that is not over: of a source that began anew, having
    forgotten that it had begun before. A message about something earlier than that is not about it."""
    found = alert_incidents.find(connection, [message.id]).get(message.id)
    if found is not None:
        return found
    for incident in alert_incidents.of_fingerprint(connection, message.fingerprint, message.starts_at):
        if incident.firing and incident.alert.starts_at <= message.starts_at:
            alert_incidents.alias(connection, message, incident.id)
            return incident
    return None


def _split(connection: Connection, over: Alert, flapping: Flapping, now: int) -> None:
    """What began after this end was an incident of its own: its message came before that of the end."""
    for later in alert_incidents.aliases(connection, over.id):
        if later.status == "firing" and later.starts_at >= (over.ends_at or over.starts_at):
            alert_incidents.forget_alias(connection, later.id)
            _open(connection, later, flapping, now)
            return


def _open(connection: Connection, message: Alert, flapping: Flapping, now: int) -> bool:
    """A new incident. One whose end is the first that is heard of it is kept, and told to nobody."""
    incident = Incident(message.id, message, opened_at=now, changed_at=now)
    if message.status == "resolved":
        incident.resolved_at, incident.done = now, True
        alert_incidents.note(connection, message.id, now, "not told", UNHEARD)
    else:
        since = message.starts_at - flapping.within + 1
        earlier = alert_incidents.of_fingerprint(connection, message.fingerprint, since)
        incident.episode = flap.episode(message, earlier, flapping)
        alert_incidents.note(connection, message.id, now, "firing", message.summary)
    alert_incidents.save(connection, [incident])
    return True


def _apply(connection: Connection, incident: Incident, message: Alert, now: int) -> bool:
    known = incident.alert
    if not incident.firing:
        return False
    over = message.status == "resolved"
    worsened = worse(message.severity, known.severity)
    if not over and not worsened and message.id == known.id and message == known:
        return False
    severity = message.severity if worsened else known.severity
    incident.alert = msgspec.structs.replace(message, id=known.id, starts_at=known.starts_at, severity=severity)
    if over or worsened:
        incident.changed_at = now
        what = "resolved" if over else "worse"
        alert_incidents.note(connection, incident.id, now, what, "" if over else f"{known.severity} to {severity}")
    if over:
        incident.resolved_at = now
    alert_incidents.save(connection, [incident])
    return True
