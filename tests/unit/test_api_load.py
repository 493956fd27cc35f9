"""When single calls are refused because more come than can be taken."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from api.collect import pause
from api.collect.load import LoadGate
from contracts.settings import Api, Settings
from tests.unit.asgi_calls import Answer, Caller, with_app
from tests.unit.test_api_requests import NOWHERE, TAG


def test_it_refuses_while_many_wait_and_the_loop_is_late_again_and_again() -> None:
    gate = LoadGate(2)
    gate.pending = 2
    gate.note(9.0)
    assert not gate.refuses, "a moment in which others had the core is no overload"
    for _ in range(2):
        gate.note(0.049)
    assert not gate.refuses, "so late it is when all are answered in time"
    gate.note(0.051)
    assert gate.refuses
    gate.pending = 1
    assert not gate.refuses
    gate.pending = 9
    gate.note(0.0)
    assert not gate.refuses, "the first is forgotten"


def test_it_watches_the_loop() -> None:
    async def run() -> None:
        gate = LoadGate(2)
        watching = asyncio.create_task(gate.watch())
        gate.pending = 2
        deadline = time.monotonic() + 60
        while not gate.refuses:
            assert time.monotonic() < deadline, "it is never late"
            time.sleep(0.2)  # noqa: ASYNC251  # is what makes the loop late
            await asyncio.sleep(0.01)
        while gate.refuses:
            assert time.monotonic() < deadline, "it stays late"
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(run())


def test_a_refused_tag_was_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoadGate, "refuses", True)

    async def calls(call: Caller) -> tuple[Answer, str]:
        refused = await call("POST", "/user_tags", json.dumps(TAG).encode())
        return refused, (await call("GET", "/metrics")).body.decode()

    api = Api(breaker_seconds=0.2, delivery_timeout_seconds=0.5, query_seconds=1)
    refused, metrics = with_app(Settings(state_dir=tmp_path, kafka=NOWHERE, api=api), calls)
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert "more events come than can be taken" in refused.json["detail"]
    assert 'tidewatch_api_buffered_bytes{topic="user-tags"} 0.0' in metrics


def test_a_refusal_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else who is refused sends again at once, and those that are under way wait behind ever more refusals."""
    monkeypatch.setattr(pause, "PAUSE_SECONDS", 3600.0)

    async def run() -> None:
        refused = asyncio.create_task(LoadGate(2).refusal())
        for _ in range(5):  # turns of the loop, of which an answer at once takes one
            await asyncio.sleep(0)
        assert not refused.done()
        refused.cancel()

    asyncio.run(run())


def test_what_waits_is_counted_until_it_is_settled(tmp_path: Path) -> None:
    """Nobody is at the broker's address: the tags are given up after two seconds."""
    api = Api(breaker_seconds=5, delivery_timeout_seconds=2, query_seconds=1)

    async def calls(call: Caller) -> None:
        sent = [asyncio.create_task(call("POST", "/user_tags", json.dumps(TAG).encode())) for _ in range(5)]
        load = call.services.collector.load
        deadline = time.monotonic() + 30
        while load.pending < 5:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert [answer.status for answer in await asyncio.gather(*sent)] == [503] * 5
        assert load.pending == 0

    with_app(Settings(state_dir=tmp_path, kafka=NOWHERE, api=api), calls)
