"""PagerDuty, by its Events API v2: an incident there from our first word to our last.

`dedup_key` is the incident's id, so whatever is sent twice changes nothing there: a second trigger joins the first.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec

from alerts.fields import Secret
from alerts.http_post import post
from alerts.message import Message
from alerts.receiver import Outcome, Receiver
from contracts.times import format_millis

_ACTIONS: Final = {"resolved": "resolve", "acknowledged": "acknowledge"}  # all others trigger
_LONGEST_SUMMARY: Final = 1024  # characters, by PagerDuty's documentation


class PagerDuty(Receiver):
    """`routing_key` is that of an integration "Events API v2"; `url` changes for another region, or a test."""

    one_by_one: ClassVar[bool] = True
    routing_key: Secret
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        """202 is taken; 400 says that the message is wrong, 429 and 5xx that it may be sent again."""
        (message,) = messages
        body = msgspec.json.encode(self._event(message))
        return post(self.url, body, {"Content-Type": "application/json"}, timeout)

    def _event(self, message: Message) -> dict[str, Any]:
        alert = message.alert
        event: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            "event_action": _ACTIONS.get(message.event, "trigger"),
            "dedup_key": message.dedup_key,
            "client": "Tidewatch",
            "payload": {
                "summary": f"{alert.rule}: {alert.summary}"[:_LONGEST_SUMMARY],
                "source": alert.labels.get("source", "tidewatch"),
                "severity": alert.severity,
                "timestamp": f"{format_millis(alert.starts_at)}Z",
                "class": alert.kind,
                "custom_details": {"labels": alert.labels, "notes": message.notes, "runbook": alert.runbook},
            },
        }
        if alert.link.startswith(("http://", "https://")):
            event["links"] = [{"href": alert.link, "text": "plot"}]
        return event
