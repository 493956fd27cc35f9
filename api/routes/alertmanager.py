"""`POST /api/v2/alerts`: Prometheus, and whatever else speaks to Alertmanager, can send its alerts here."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta, Struct

from api.alert_feed import FeedUnavailable
from api.bodies import answer, read
from api.problems import invalid, unavailable
from api.services import Services, wall_clock
from contracts.alerts import SEVERITIES, Alert, Severity, Text, alert_id, decode, encode
from contracts.times import EPOCH, MILLISECOND
from stores import alert_incidents
from stores.alerts import AlertStore, AlertsUnavailable

_NAME: Final = "alertname"
# What people call it; all else is a warning.
_SEVERITIES: Final[dict[str, Severity]] = {
    "critical": "critical",
    "page": "critical",
    "error": "critical",
    "info": "info",
    "none": "info",
}


class Posted(Struct, rename="camel"):
    """One alert; a field that we do not know is Alertmanager's, and harmless."""

    labels: Annotated[dict[str, str], Meta(min_length=1)]
    annotations: dict[str, Text] = {}
    starts_at: Annotated[datetime, Meta(tz=True)] | None = None
    ends_at: Annotated[datetime, Meta(tz=True)] | None = None
    generator_url: str = msgspec.field(name="generatorURL", default="")


def blueprint(services: Services) -> Blueprint:
    """The route over these services."""
    routes = Blueprint("alertmanager", __name__)

    @routes.post("/api/v2/alerts")
    def alerts() -> Response:
        """200 once the topic has those of them that say something new: Prometheus repeats all every minute."""
        now = wall_clock()
        sent = [alert_of(posted, now) for posted in read(list[Posted], request.get_data())]
        try:
            services.alert_feed.send(_news(services.alerts, sent))
        except FeedUnavailable as error:
            raise unavailable(str(error)) from None
        return answer({})

    return routes


def alert_of(posted: Posted, now: int) -> Alert:
    """As a message of the topic; Problem 400 when it lacks a name, or what it holds is too long.

    `endsAt` in the future is when Alertmanager would give it up for lack of news. Here an alert is over when its sender
    says so: what is silent is not well.
    """
    rule = posted.labels.get(_NAME, "")
    if not rule:
        raise invalid("labels", f"{_NAME} is missing")
    labels = {name: value for name, value in posted.labels.items() if name != _NAME}
    starts_at = _milliseconds(posted.starts_at) or now
    ends_at = _milliseconds(posted.ends_at)
    over = 0 < ends_at <= now
    alert = Alert(
        id=alert_id(rule, labels, starts_at),
        rule=rule,
        kind="external",
        labels=labels,
        severity=_SEVERITIES.get(labels.get("severity", ""), "warning"),
        status="resolved" if over else "firing",
        starts_at=starts_at,
        summary=posted.annotations.get("summary") or posted.annotations.get("description") or rule,
        ends_at=ends_at if over else None,
        link=posted.generator_url,
        runbook=posted.annotations.get("runbook_url", ""),
    )
    try:
        return decode(encode(alert))
    except msgspec.ValidationError as error:
        raise invalid("", str(error)) from None


def _news(store: AlertStore, alerts: list[Alert]) -> list[Alert]:
    """Without what the store has heard already; all of them when it cannot be asked."""
    try:
        with store.reading() as connection:
            known = alert_incidents.find(connection, [alert.id for alert in alerts])
    except AlertsUnavailable:
        return alerts
    return [alert for alert in alerts if alert.id not in known or _differs(alert, known[alert.id].alert)]


def _differs(alert: Alert, known: Alert) -> bool:
    """It is over, or worse; that it is better is never told."""
    worse = SEVERITIES.index(alert.severity) < SEVERITIES.index(known.severity)
    return known.status == "firing" and (alert.status != known.status or worse)


def _milliseconds(moment: datetime | None) -> int:
    """0 for the year 1, by which programs written in Go say that there is none."""
    return 0 if moment is None else max((moment - EPOCH) // MILLISECOND, 0)
