"""Notices become letters: one a receiver, complete."""

import hashlib

from sqlalchemy import Connection

from alerts import message as messages
from alerts.case import Look
from alerts.flap import note
from alerts.message import Message
from alerts.notice import Notice
from stores import alert_incidents, alert_outbox
from stores.alert_outbox import Letter


def enqueue(connection: Connection, notices: list[Notice], look: Look) -> int:
    """Adds a letter for each receiver of each notice, unless it has one by the same key; and says so in the history.

    Returns how many notices there were, also of those that nobody receives.
    """
    letters = []
    for notice in notices:
        receivers = [name for name in notice.receivers if _wants(notice, name, look)]
        payload = messages.encode(_message(notice, look))
        batch = _digest([str(look.now), str(notice.group)])
        for receiver in receivers:
            letters.append(Letter(_key(notice), receiver, notice.case.incident.id, notice.event, batch, payload))
    fresh = _unknown(connection, letters)
    alert_outbox.add(connection, fresh, look.now)
    for (incident, event), names in _by_change(fresh).items():
        alert_incidents.note(connection, incident, look.now, "told", f"{event}: {', '.join(names)}")
    return len(notices)


def _message(notice: Notice, look: Look) -> Message:
    case = notice.case
    notes = note(case, look.config.flapping)
    if case.acknowledgement is not None:
        notes.append(f"Acknowledged by {case.acknowledgement.by}. {case.acknowledgement.comment}".strip())
    return Message(_key(notice), case.incident.id, notice.event, case.alert, look.now, notice.group, notes)


def _key(notice: Notice) -> str:
    return f"{notice.case.incident.id}-{notice.suffix}"


def _wants(notice: Notice, name: str, look: Look) -> bool:
    """Receivers that are gone from the file of routes get nothing."""
    receiver = look.config.receivers.get(name)
    return receiver is not None and (notice.event != "resolved" or receiver.send_resolved)


def _unknown(connection: Connection, letters: list[Letter]) -> list[Letter]:
    """Those that are new, each once."""
    by_place = {(letter.key, letter.receiver): letter for letter in letters}
    known = alert_outbox.known(connection, [letter.key for letter in letters])
    return [letter for place, letter in by_place.items() if place not in known]


def _by_change(letters: list[Letter]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for letter in letters:
        found.setdefault((letter.incident or "", letter.event), []).append(letter.receiver)
    return found


def _digest(parts: list[str]) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
