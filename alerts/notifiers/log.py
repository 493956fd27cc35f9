"""Into the log of the alert service: where nothing else is set up, and for tests of a route."""

from collections.abc import Sequence

import structlog

from alerts.message import Message
from alerts.receiver import SENT, Outcome, Receiver


class Log(Receiver):
    """A line a message."""

    def send(self, messages: Sequence[Message], timeout: float) -> Outcome:
        log = structlog.get_logger()
        for message in messages:
            log.warning("alert", title=message.title, summary=message.alert.summary, key=message.key)
        return SENT
