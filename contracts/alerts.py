"""What crosses topic `alerts`, the public feed: an alert each time it begins, gets worse, or is over.

A record's value is one message as a JSON object, its key the alert's `id`. The jobs write it in Kafka transactions,
so a read_committed reader sees each change once. `message_id` tells two copies of one change apart from two changes.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

Kind = Literal["threshold", "mean_threshold", "anomaly", "absent", "burn_rate", "pattern", "blind", "external"]
Severity = Literal["critical", "warning", "info"]
Status = Literal["firing", "resolved"]

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")  # the worst first

Text = Annotated[str, Meta(max_length=4096)]
Labels = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=256)], Text], Meta(max_length=64)]


class Alert(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One state of an alert. Times are epoch milliseconds of event time.

    `id` names the incident: the same from its beginning to its end, another for the next of the same rule and labels.
    `value` is what was judged; `expected`, `threshold` and `score` say against what, where the rule's kind has it.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$", description="the incident, from `alert_id`")]
    rule: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: Kind
    labels: Labels
    severity: Severity
    status: Status
    starts_at: int
    summary: Text
    ends_at: int | None = None  # set when resolved
    value: float | None = None
    expected: float | None = None
    threshold: float | None = None
    score: float | None = None
    link: Text = ""  # to the plot of what happened
    runbook: Text = ""  # what to do: text or an address

    @property
    def fingerprint(self) -> str:
        """The rule with its labels: equal for every incident of the same thing."""
        return fingerprint(self.rule, self.labels)

    @property
    def message_id(self) -> str:
        """This change of the incident: the same in every copy of it."""
        return f"{self.id}-{self.status}"


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """32 hexadecimal digits of a rule and its labels, whatever their order."""
    return _digest([rule, sorted(labels.items())])


def alert_id(rule: str, labels: Mapping[str, str], starts_at: int) -> str:
    """The id of the incident of this rule and labels that began at `starts_at`: a replay makes the same."""
    return _digest([rule, sorted(labels.items()), starts_at])


def matchable(alert: Alert) -> dict[str, str]:
    """The alert's labels and what else can be matched: `rule` (also as `alertname`), `kind` and `severity`."""
    return {**alert.labels, "alertname": alert.rule, "rule": alert.rule, "kind": alert.kind, "severity": alert.severity}


def encode(alert: Alert) -> bytes:
    """The value of a record."""
    return _encoder.encode(alert)


def decode(value: bytes) -> Alert:
    """The alert of a record; msgspec.DecodeError says what is wrong with it."""
    return _decoder.decode(value)


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a record's value."""
    return msgspec.json.schema(Alert)


def _digest(parts: list[object]) -> str:
    return hashlib.blake2b(_encoder.encode(parts), digest_size=16).hexdigest()


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Alert)
