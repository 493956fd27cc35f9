"""`/api/v2/silences`: as Alertmanager has them, so its tools and Grafana can make them."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint, Response, request
from msgspec import Meta, Struct

from api.bodies import answer, instant, read
from api.problems import invalid, unknown
from api.services import Services, wall_clock
from contracts.matchers import Matcher
from contracts.times import EPOCH, MILLISECOND
from stores import alert_silences
from stores.alert_silences import Silence


class NewSilence(Struct, rename="camel"):
    """The body of a new one; a field that we do not know is Alertmanager's, and harmless."""

    matchers: Annotated[list[Matcher], Meta(min_length=1, max_length=64)]
    starts_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)]
    created_by: Annotated[str, Meta(min_length=1, max_length=256)]
    comment: Annotated[str, Meta(max_length=4096)] = ""
    id: str = ""


def blueprint(services: Services) -> Blueprint:
    """The routes over these services."""
    routes = Blueprint("silences", __name__)

    @routes.post("/api/v2/silences")
    def silence() -> Response:
        """One with the `id` of another takes its place."""
        given = read(NewSilence, request.get_data())
        made = _made(given, wall_clock())
        with services.alerts.writing() as connection:
            if given.id and alert_silences.end(connection, given.id, made.created_at) is None:
                raise unknown(f"no silence has the id {given.id[:40]!r}")
            alert_silences.add(connection, made)
        return answer({"silenceID": made.id})

    @routes.get("/api/v2/silences")
    def silences() -> Response:
        """Those that have not ended."""
        now = wall_clock()
        with services.alerts.reading() as connection:
            return answer([_document(silence, now) for silence in alert_silences.silences(connection, now)])

    @routes.delete("/api/v2/silence/<name>")
    def unsilence(name: str) -> Response:
        """Ends it now; again is no error."""
        with services.alerts.writing() as connection:
            ended = alert_silences.end(connection, name, wall_clock())
        if ended is None:
            raise unknown(f"no silence has the id {name[:40]!r}")
        return answer({})

    return routes


def _made(given: NewSilence, now: int) -> Silence:
    starts_at, ends_at = _milliseconds(given.starts_at), _milliseconds(given.ends_at)
    if ends_at <= max(starts_at, now):
        raise invalid("endsAt", "must lie in the future, and after startsAt")
    if all(matcher.holds({}) for matcher in given.matchers):
        raise invalid(
            "matchers", "at least one must not match what has none of the labels: this would silence everything"
        )
    return Silence(uuid.uuid4().hex, given.matchers, starts_at, ends_at, given.created_by, given.comment, now)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


def _document(silence: Silence, now: int) -> dict[str, Any]:
    return {
        "id": silence.id,
        "matchers": silence.matchers,
        "startsAt": instant(silence.starts_at),
        "endsAt": instant(silence.ends_at),
        "updatedAt": instant(silence.created_at),
        "createdBy": silence.created_by,
        "comment": silence.comment,
        "status": {"state": "active" if silence.starts_at <= now else "pending"},
    }
