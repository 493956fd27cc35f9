"""`/api/v1/oncall`: who is called now; and a way to try whether a receiver is reached."""

import uuid
from typing import Any, Final

from flask import Blueprint, Response, request

from api.bodies import answer, instant
from api.parameters import parse_query, whole_number
from api.problems import unknown
from api.routes.alerts import notification
from api.services import Services, wall_clock
from stores import alert_outbox, alert_silences
from stores.alert_outbox import Letter
from stores.alert_silences import Shift

_HOUR_MS: Final = 3_600_000


def blueprint(services: Services) -> Blueprint:
    """The routes over these services."""
    routes = Blueprint("oncall", __name__)

    @routes.get("/api/v1/oncall")
    def on_call() -> Response:
        """The shifts that overlap the next `hours` (at most 336), by default those of this moment."""
        hours = whole_number(parse_query(request.query_string, ["hours"]), "hours", 0, 0, 336)
        now = wall_clock()
        with services.alerts.reading() as connection:
            shifts = alert_silences.shifts(connection, now, now + hours * _HOUR_MS + 1)
        return answer({"shifts": [_document(shift) for shift in shifts]})

    @routes.post("/api/v1/receivers/<name>/test")
    def test(name: str) -> Response:
        """202: the service takes it within a second; the answer's `number` shows what became of it."""
        key = f"test-{uuid.uuid4().hex}"
        letter = Letter(key, name, None, "test", uuid.uuid4().hex, payload="")
        with services.alerts.writing() as connection:
            number = alert_outbox.request(connection, letter, wall_clock())
        return answer({"number": number}, 202)

    @routes.get("/api/v1/notifications/<int:number>")
    def sent(number: int) -> Response:
        with services.alerts.reading() as connection:
            sending = alert_outbox.sending(connection, number)
        if sending is None:
            raise unknown(f"there is no notification {number}")
        return answer(notification(sending))

    return routes


def _document(shift: Shift) -> dict[str, Any]:
    return {
        "schedule": shift.schedule,
        "person": shift.person,
        "starts_at": instant(shift.starts_at),
        "ends_at": instant(shift.ends_at),
    }
