"""What a receiver is told: one change of one incident, complete, so that sending it again sends the same."""

from typing import Final, Literal

import msgspec
from msgspec import Struct

from contracts.alerts import Alert

Event = Literal["firing", "worse", "reminder", "escalated", "acknowledged", "resolved", "test"]


class Message(Struct, frozen=True, omit_defaults=True):
    """`key` names the change, and is the same in every copy; `dedup_key` names the incident from beginning to end.

    `at` is when it was decided, epoch milliseconds; `notes` say what is particular, such as that it flaps.
    """

    key: str
    dedup_key: str
    event: Event
    alert: Alert
    at: int
    group: dict[str, str] = {}
    notes: list[str] = []

    @property
    def over(self) -> bool:
        """Whether it tells that the incident is over."""
        return self.event == "resolved"

    @property
    def title(self) -> str:
        """One line."""
        words = {"escalated": "NOT ACKNOWLEDGED", "worse": "WORSE", "reminder": "STILL FIRING"}
        word = words.get(self.event, self.event.upper())
        return f"[{word}] {self.alert.severity}: {self.alert.rule}"


def encode(message: Message) -> str:
    """As JSON."""
    return _encoder.encode(message).decode()


def decode(payload: str) -> Message:
    """Of what `encode` made."""
    return _decoder.decode(payload)


def text(messages: list[Message]) -> tuple[str, str]:
    """A title and a body of plain text for people, of one message or several."""
    first = messages[0]
    title = first.title if len(messages) == 1 else f"{first.title} and {len(messages) - 1} more"
    return title, "\n\n".join(map(_paragraph, messages))


def _paragraph(message: Message) -> str:
    alert = message.alert
    labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    figures = {"value": alert.value, "expected": alert.expected, "threshold": alert.threshold, "score": alert.score}
    known = ", ".join(f"{name} {value:g}" for name, value in figures.items() if value is not None)
    lines = [message.title, alert.summary, labels, known, *message.notes]
    lines += [f"plot: {alert.link}" if alert.link else "", f"runbook: {alert.runbook}" if alert.runbook else ""]
    return "\n".join(line for line in [*lines, f"incident {message.dedup_key}"] if line)


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Message)
