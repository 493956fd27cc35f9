"""`/api/v1/alerts`: incidents, what happened to them, and who has them."""

from typing import Annotated, Any, Final

from flask import Blueprint, Response, request
from msgspec import Meta, Struct, to_builtins
from sqlalchemy import Connection

from api.bodies import answer, instant, read
from api.parameters import one, parse_query, whole_number
from api.problems import Problem, invalid, unknown
from api.services import Services, wall_clock
from contracts.alerts import SEVERITIES
from stores import alert_incidents, alert_outbox
from stores.alert_incidents import Acknowledgement, Filter, Incident
from stores.alert_outbox import Sending

_STATUSES: Final = ("firing", "resolved")
_MOST: Final = 1000
_KNOWN: Final = ("status", "severity", "rule", "opened_before", "limit")

Name = Annotated[str, Meta(min_length=1, max_length=256)]


class Take(Struct, forbid_unknown_fields=True):
    """The body of an acknowledgement."""

    by: Name
    comment: Annotated[str, Meta(max_length=4096)] = ""


def blueprint(services: Services) -> Blueprint:
    """The routes over these services."""
    routes = Blueprint("alerts", __name__)

    @routes.get("/api/v1/alerts")
    def listed() -> Response:
        """Those opened last first; the next page is what was opened before the last of this one."""
        wanted, limit = parse(request.query_string)
        with services.alerts.reading() as connection:
            incidents = alert_incidents.listed(connection, wanted, limit)
            return answer({"alerts": describe(connection, incidents)})

    @routes.get("/api/v1/alerts/<name>")
    def single(name: str) -> Response:
        with services.alerts.reading() as connection:
            return answer(describe(connection, [find(connection, name)])[0])

    @routes.get("/api/v1/alerts/<name>/history")
    def history(name: str) -> Response:
        """What happened, and each notification with its attempts."""
        with services.alerts.reading() as connection:
            incident = find(connection, name).id
            changes = alert_incidents.history(connection, incident)
            sent = alert_outbox.of_incident(connection, incident)
        told = [{"at": instant(change.at), "what": change.what, "detail": change.detail} for change in changes]
        return answer({"changes": told, "notifications": [notification(sending) for sending in sent]})

    @routes.post("/api/v1/alerts/<name>/acknowledge")
    def acknowledge(name: str) -> Response:
        """Escalation ends. Who came first has it: the answer says who that is, with 409 for anybody else."""
        take = read(Take, request.get_data())
        with services.alerts.writing() as connection:
            incident = find(connection, name)
            if not incident.firing:
                raise Problem(409, "resolved", "it is over already")
            who = Acknowledgement(take.by, wall_clock(), take.comment)
            owner = alert_incidents.acknowledge(connection, incident.id, who)
            document = describe(connection, [incident])[0]
        return answer(document, 200 if owner.by == take.by else 409)

    return routes


def parse(query_string: bytes) -> tuple[Filter, int]:
    """Which to list, and how many; Problem 400 names the parameter that is wrong."""
    given = parse_query(query_string, _KNOWN)
    for name, known in (("status", _STATUSES), ("severity", SEVERITIES)):
        value = one(given, name)
        if value is not None and value not in known:
            raise invalid(name, f"must be one of {', '.join(known)}: {value[:40]!r}")
    before = one(given, "opened_before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 16):
        raise invalid("opened_before", f"must be milliseconds since 1970: {before[:40]!r}")
    wanted = Filter(one(given, "status"), one(given, "severity"), one(given, "rule"), int(before) if before else None)
    return wanted, whole_number(given, "limit", 100, 1, _MOST)


def find(connection: Connection, name: str) -> Incident:
    """The incident; Problem 404 when there is none."""
    found = alert_incidents.find(connection, [name]).get(name)
    if found is None:
        raise unknown(f"no alert has the id {name[:40]!r}")
    return found


def describe(connection: Connection, incidents: list[Incident]) -> list[dict[str, Any]]:
    """The newest message of each, and how far people are with it."""
    owners = alert_incidents.acknowledgements(connection, [incident.id for incident in incidents])
    return [_document(incident, owners.get(incident.id)) for incident in incidents]


def _document(incident: Incident, owner: Acknowledgement | None) -> dict[str, Any]:
    return {
        **to_builtins(incident.alert),
        "starts_at": instant(incident.alert.starts_at),
        "ends_at": instant(incident.alert.ends_at),
        "opened_at": instant(incident.opened_at),
        "opened_ms": incident.opened_at,
        "resolved_at": instant(incident.resolved_at),
        "told_at": instant(incident.told_at),
        "flapping": incident.episode is not None,
        "acknowledged": owner and {"by": owner.by, "at": instant(owner.at), "comment": owner.comment},
    }


def notification(sending: Sending) -> dict[str, Any]:
    """One notification, as far as it went."""
    return {
        "number": sending.number,
        "receiver": sending.letter.receiver,
        "event": sending.letter.event,
        "key": sending.letter.key,
        "state": sending.state,
        "attempts": sending.attempts,
        "error": sending.error,
        "created_at": instant(sending.created_at),
        "next_at": instant(sending.next_at) if sending.state == "pending" else None,
        "sent_at": instant(sending.sent_at),
    }
