"""Incidents, what happened to them, and how far people were told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from contracts import alerts
from contracts.alerts import Alert
from stores.alert_tables import ACKNOWLEDGEMENTS, ALIASES, CHANGES, INCIDENTS, OUTBOX, ROUTED
from stores.alerts import insert_new, touch


@dataclass
class Incident:
    """A row of `incidents`: see there. `id` is that of the alert's first message."""

    id: str
    alert: Alert
    opened_at: int
    changed_at: int
    resolved_at: int | None = None
    episode: str | None = None
    told_at: int | None = None
    step: int = 0
    step_at: int | None = None
    acknowledgement_told: bool = False
    done: bool = False

    @property
    def firing(self) -> bool:
        return self.alert.status == "firing"


@dataclass
class Routed:
    """How far the receivers of one route were told of an incident."""

    incident: str
    route: str
    group_key: str
    told_at: int | None = None
    told_severity: str | None = None
    reminded_at: int | None = None
    reminders: int = 0
    ended_at: int | None = None


class Acknowledgement(NamedTuple):
    """Who cares for an incident, since when."""

    by: str
    at: int
    comment: str


class Change(NamedTuple):
    """One thing that happened to an incident; `what` is one word of few, `detail` for people."""

    at: int
    what: str
    detail: str


class Filter(NamedTuple):
    """Which incidents to list: those of which all that is given is true."""

    status: str | None = None
    severity: str | None = None
    rule: str | None = None
    opened_before: int | None = None


def find(connection: Connection, ids: Iterable[str]) -> dict[str, Incident]:
    """The incidents by those of these ids that are known; an id may be an alias."""
    wanted = list(ids)
    aliases = {row.id: row.incident for row in connection.execute(select(ALIASES).where(ALIASES.c.id.in_(wanted)))}
    own = {*wanted, *aliases.values()}
    found = {row.id: _incident(row) for row in connection.execute(select(INCIDENTS).where(INCIDENTS.c.id.in_(own)))}
    named = {name: aliases.get(name, name) for name in wanted}
    return {name: found[incident] for name, incident in named.items() if incident in found}


def of_fingerprint(connection: Connection, fingerprint: str, since: int) -> list[Incident]:
    """Those that began at or after `since` (event time) or are not done, in the order in which they began."""
    ours = (INCIDENTS.c.fingerprint == fingerprint) & ((INCIDENTS.c.starts_at >= since) | ~INCIDENTS.c.done)
    return [_incident(row) for row in connection.execute(select(INCIDENTS).where(ours).order_by(INCIDENTS.c.starts_at))]


def live(connection: Connection) -> list[Incident]:
    """Those of which there may still be something to tell, by opening."""
    query = select(INCIDENTS).where(~INCIDENTS.c.done).order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
    return [_incident(row) for row in connection.execute(query)]


def listed(connection: Connection, wanted: Filter, limit: int) -> list[Incident]:
    """At most `limit`, those opened last first."""
    query = select(INCIDENTS).order_by(INCIDENTS.c.opened_at.desc(), INCIDENTS.c.id).limit(limit)
    for column, value in ((INCIDENTS.c.status, wanted.status), (INCIDENTS.c.severity, wanted.severity)):
        query = query if value is None else query.where(column == value)
    if wanted.rule is not None:
        query = query.where(INCIDENTS.c.rule == wanted.rule)
    if wanted.opened_before is not None:
        query = query.where(INCIDENTS.c.opened_at < wanted.opened_before)
    return [_incident(row) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[tuple[str, bool], int]:
    """How many incidents fire, by severity and by whether somebody has acknowledged them."""
    owned = ACKNOWLEDGEMENTS.c.incident.is_not(None).label("owned")
    joined = INCIDENTS.outerjoin(ACKNOWLEDGEMENTS, ACKNOWLEDGEMENTS.c.incident == INCIDENTS.c.id)
    query = select(INCIDENTS.c.severity, owned, func.count()).select_from(joined)
    rows = connection.execute(query.where(INCIDENTS.c.status == "firing").group_by(INCIDENTS.c.severity, owned))
    return {(severity, bool(known)): count for severity, known, count in rows}


def save(connection: Connection, incidents: Iterable[Incident]) -> None:
    """Writes the incidents, new ones and known ones."""
    rows = [_row(incident) for incident in incidents]
    if not rows:
        return
    known = set(
        connection.execute(select(INCIDENTS.c.id).where(INCIDENTS.c.id.in_([row["id"] for row in rows]))).scalars()
    )
    new = [row for row in rows if row["id"] not in known]
    old = [{**row, "key": row["id"]} for row in rows if row["id"] in known]
    if new:
        connection.execute(insert(INCIDENTS), new)
    if old:
        connection.execute(update(INCIDENTS).where(INCIDENTS.c.id == bindparam("key")), old)


def alias(connection: Connection, alert: Alert, incident: str) -> None:
    """From now on `find` knows the incident by this alert's id, too."""
    insert_new(connection, ALIASES, [{"id": alert.id, "incident": incident, "alert": alerts.encode(alert).decode()}])


def aliases(connection: Connection, incident: str) -> list[Alert]:
    """The alerts by whose ids the incident is known beside its own."""
    rows = connection.execute(select(ALIASES.c.alert).where(ALIASES.c.incident == incident))
    return sorted((alerts.decode(row.alert.encode()) for row in rows), key=lambda alert: alert.starts_at)


def forget_alias(connection: Connection, name: str) -> None:
    """The id is free for an incident of its own."""
    connection.execute(delete(ALIASES).where(ALIASES.c.id == name))


def note(connection: Connection, incident: str, at: int, what: str, detail: str = "") -> None:
    """Adds to the incident's history."""
    connection.execute(insert(CHANGES).values(incident=incident, at=at, what=what, detail=detail))


def history(connection: Connection, incident: str) -> list[Change]:
    """What happened to the incident, the oldest first."""
    rows = connection.execute(select(CHANGES).where(CHANGES.c.incident == incident).order_by(CHANGES.c.number))
    return [Change(row.at, row.what, row.detail) for row in rows]


def routed(connection: Connection, incidents: Iterable[str]) -> list[Routed]:
    """How far the routes' receivers were told of these."""
    rows = connection.execute(select(ROUTED).where(ROUTED.c.incident.in_(list(incidents))))
    return [Routed(**row._asdict()) for row in rows]


def save_routed(connection: Connection, rows: Iterable[Routed]) -> None:
    """Writes them, new ones and known ones."""
    for row in rows:
        place = (ROUTED.c.incident == row.incident) & (ROUTED.c.route == row.route)
        if connection.execute(update(ROUTED).where(place).values(**vars(row))).rowcount == 0:
            connection.execute(insert(ROUTED).values(**vars(row)))


def acknowledge(connection: Connection, incident: str, who: Acknowledgement) -> Acknowledgement:
    """Takes it for `who`, unless somebody has before: whose it is now. The service tells of it at once."""
    row = {"incident": incident, **who._asdict()}
    if not acknowledgements(connection, [incident]):
        insert_new(connection, ACKNOWLEDGEMENTS, [row])
        note(connection, incident, who.at, "acknowledged", f"by {who.by}{': ' if who.comment else ''}{who.comment}")
        touch(connection)
    return acknowledgements(connection, [incident])[incident]


def acknowledgements(connection: Connection, incidents: Iterable[str]) -> dict[str, Acknowledgement]:
    """By incident, of those that somebody has acknowledged."""
    rows = connection.execute(select(ACKNOWLEDGEMENTS).where(ACKNOWLEDGEMENTS.c.incident.in_(list(incidents))))
    return {row.incident: Acknowledgement(row.by, row.at, row.comment) for row in rows}


def forget(connection: Connection, before: int) -> int:
    """Deletes all about incidents that were done and last changed before then, and old tests; returns how many."""
    old = INCIDENTS.c.done & (INCIDENTS.c.changed_at < before)
    ids = select(INCIDENTS.c.id).where(old)
    for table in (ALIASES, CHANGES, ROUTED, ACKNOWLEDGEMENTS, OUTBOX):
        connection.execute(delete(table).where(table.c.incident.in_(ids)))
    connection.execute(delete(OUTBOX).where(OUTBOX.c.incident.is_(None) & (OUTBOX.c.created_at < before)))
    return connection.execute(delete(INCIDENTS).where(old)).rowcount


def _row(incident: Incident) -> dict[str, Any]:
    alert = incident.alert
    return {
        **vars(incident),
        "alert": alerts.encode(alert).decode(),
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "severity": alert.severity,
        "status": alert.status,
        "starts_at": alert.starts_at,
    }


def _incident(row: Row[Any]) -> Incident:
    values = row._asdict()
    kept = {name: values[name] for name in Incident.__dataclass_fields__ if name != "alert"}
    return Incident(alert=alerts.decode(row.alert.encode()), **kept)
