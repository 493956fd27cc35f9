"""The message on topic `alerts`: ids that a replay makes again, and a schema that says what the decoder takes."""

import json
from dataclasses import dataclass

import msgspec
import pytest

from contracts.alerts import Alert, alert_id, decode, encode, fingerprint, json_schema

LABELS = {"code": "-17", "build": "5.0.0.10"}
FIRING = Alert(
    id=alert_id("errors", LABELS, 1_000),
    rule="errors",
    kind="mean_threshold",
    labels=LABELS,
    severity="critical",
    status="firing",
    starts_at=1_000,
    summary="Alert: Mean Threshold Exceeded",
    value=1.5,
    threshold=1.25,
)


def test_a_message_comes_back_as_it_was() -> None:
    resolved = msgspec.structs.replace(FIRING, status="resolved", ends_at=61_000)
    assert [decode(encode(alert)) for alert in (FIRING, resolved)] == [FIRING, resolved]


def test_an_incident_keeps_its_id_and_each_change_has_one_of_its_own() -> None:
    turned = dict(reversed(LABELS.items()))
    assert alert_id("errors", turned, 1_000) == FIRING.id
    assert alert_id("errors", LABELS, 61_000) != FIRING.id
    assert fingerprint("errors", turned) == FIRING.fingerprint
    resolved = msgspec.structs.replace(FIRING, status="resolved")
    assert (resolved.id, resolved.message_id) == (FIRING.id, f"{FIRING.id}-resolved")
    assert FIRING.message_id != resolved.message_id


@dataclass(frozen=True)
class Wrong:
    """A field, a value it must not have, and what the message says about it."""

    field: str
    value: object
    says: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("id", "short", "id"),
        Wrong("status", "open", "open"),
        Wrong("severity", "loud", "loud"),
        Wrong("starts_at", "today", "starts_at"),
        Wrong("colour", "red", "colour"),
        Wrong("labels", {"": "x"}, "labels"),
    ],
    ids=lambda wrong: wrong.field,
)
def test_a_wrong_field_is_named(wrong: Wrong) -> None:
    value = json.dumps({**json.loads(encode(FIRING)), wrong.field: wrong.value}).encode()
    with pytest.raises(msgspec.ValidationError, match=wrong.says):
        decode(value)


def test_the_schema_lists_what_a_message_needs() -> None:
    schema = json_schema()
    definition = schema["$defs"]["Alert"]
    assert set(definition["required"]) == {"id", "rule", "kind", "labels", "severity", "status", "starts_at", "summary"}
    assert definition["additionalProperties"] is False
