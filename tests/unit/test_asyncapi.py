"""`/asyncapi.json`, and the stream of alerts as far as it needs no broker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from api.routes.asyncapi import document
from api.streams import Event, encode, send_feed
from contracts import alerts
from contracts.settings import Api, Kafka, Settings
from tests.unit.asgi_calls import Answer, Caller, with_app
from tests.unit.test_alerts_contract import FIRING


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """An API with nothing around it: nothing listens on port 1."""
    return Settings(state_dir=tmp_path, kafka=Kafka(bootstrap_servers="127.0.0.1:1"), api=Api(breaker_seconds=0.2))


def get(settings: Settings, path: str, **headers: str) -> Answer:
    async def calls(call: Caller) -> Answer:
        return await call("GET", path, b"", {name.replace("_", "-"): value for name, value in headers.items()})

    return with_app(settings, calls)


def test_the_document_is_served_with_the_schema_of_an_alert(alone: Settings) -> None:
    answer = get(alone, "/asyncapi.json")
    assert answer.status == 200
    assert answer.json == document("alerts")
    schema = answer.json["components"]["schemas"]["Alert"]
    assert set(msgspec.to_builtins(FIRING)) <= set(schema["properties"])
    assert answer.json["channels"]["alerts"]["address"] == "alerts"


def test_references_lead_somewhere() -> None:
    described = document("alerts")

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            return [one for key, item in value.items() for one in ([item] if key == "$ref" else references(item))]
        return [one for item in value for one in references(item)] if isinstance(value, list) else []

    found = references(described)
    assert found
    for reference in found:
        place: object = described
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict), reference
            assert step in place, reference
            place = place[step]


def test_the_schema_of_an_alert_needs_nothing_else() -> None:
    assert "$ref" not in msgspec.json.encode(document("alerts")["components"]["schemas"]["Alert"]).decode()


def test_an_id_that_is_not_ours_is_refused(alone: Settings) -> None:
    answer = get(alone, "/api/v1/alerts/stream", last_event_id="12,x")
    assert (answer.status, answer.json["field"]) == (400, "Last-Event-ID")
    assert get(alone, "/api/v1/alerts/stream?since=1").status == 400


def test_an_event_is_spelled_as_browsers_read_it() -> None:
    event = Event("12", "alert", alerts.encode(FIRING))
    assert encode(event) == b"id: 12\nevent: alert\ndata: " + alerts.encode(FIRING) + b"\n\n"
    assert encode(None).startswith(b":")


class Endless:
    """A feed of which one event comes, and then nothing."""

    def __init__(self) -> None:
        self.closed = 0

    async def events(self) -> AsyncIterator[Event | None]:
        yield Event("1", "alert", b"{}")
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1


def test_a_client_that_leaves_ends_its_feed() -> None:
    async def scenario() -> tuple[list[bytes], int]:
        feed, sent, first = Endless(), list[bytes](), asyncio.Event()

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            sent.append(message.get("body", b""))
            if b"id: 1" in sent[-1]:
                first.set()

        async def receive() -> dict[str, object]:
            await first.wait()
            return {"type": "http.disconnect"}

        await asyncio.wait_for(send_feed(feed, receive, send), 60)
        return sent, feed.closed

    sent, closed = asyncio.run(scenario())
    assert b"id: 1\nevent: alert\ndata: {}\n\n" in sent
    assert closed == 1
