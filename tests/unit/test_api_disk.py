"""When the collector stops because of the disk, and when it goes on."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.collect.disk import DiskGate, Room, room_of, size_of
from api.problems import Problem
from contracts.settings import Api, Settings
from tests.unit.asgi_calls import Answer, Caller, with_app
from tests.unit.test_api_requests import NOWHERE, TAG


def test_it_closes_at_the_one_mark_and_opens_below_the_other() -> None:
    gate = DiskGate(shed_at=0.8, resume_at=0.75)
    closed = []
    for used in (0, 79, 80, 99, 79, 75, 74, 79, 80):
        gate.look(Room(used, 100))
        closed.append(gate.reason is not None)
    assert closed == [False, False, True, True, True, True, False, False, True]


def test_who_is_refused_is_told_why_and_until_when() -> None:
    gate = DiskGate(shed_at=0.8, resume_at=0.75)
    gate.admit()
    gate.look(Room(83_000_000_000, 100_000_000_000))
    with pytest.raises(
        Problem, match=r"83% .*\(83,000 of 100,000 MB\): events are refused until it is below 75%"
    ) as told:
        gate.admit()
    assert told.value.status == 503
    assert int(told.value.headers["Retry-After"]) > 1


def test_the_budget_is_what_the_folder_has_and_what_is_free(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "file").write_bytes(b"x" * 1_000_000)
    with open(tmp_path / "holes", "wb") as file:
        os.truncate(file.fileno(), 10_000_000_000)
    assert 1_000_000 <= size_of(tmp_path) < 1_100_000
    free = room_of(tmp_path, 0)
    assert free.used < 1_100_000 < free.budget
    assert room_of(tmp_path, 2_000_000).budget == 2_000_000
    assert room_of(tmp_path, 10**18).budget <= free.budget * 1.1  # no more than there is
    assert size_of(tmp_path / "nothing") == 0


def test_without_a_budget_there_is_no_room() -> None:
    assert Room(0, 0).ratio == 1.0


def test_marks_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValidationError, match="resume_at"):
        Api(shed_at=0.5, resume_at=0.6)


def test_tags_are_refused_until_room_is_made(tmp_path: Path) -> None:
    """Nobody is at the broker's address: a tag that is admitted gets a 503 of another kind."""
    api = Api(disk_budget_bytes=1_000_000, breaker_seconds=0.2, delivery_timeout_seconds=0.5, query_seconds=1)
    settings = Settings(state_dir=tmp_path, kafka=NOWHERE, api=api)
    ballast = tmp_path / "ballast"

    async def answered(call: Caller, nearly_full: bool) -> Answer:
        deadline = time.monotonic() + 30
        while (answer := await call("POST", "/user_tags", json.dumps(TAG).encode())).json["type"].endswith(
            "disk-nearly-full"
        ) != nearly_full:
            assert time.monotonic() < deadline, answer
            await asyncio.sleep(0.05)
        return answer

    async def calls(call: Caller) -> None:
        await answered(call, nearly_full=False)
        ballast.write_bytes(b"x" * 850_000)
        refused = await answered(call, nearly_full=True)
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        assert "of 1 MB" in refused.json["detail"]
        bulk = await call("POST", "/v1/user-tags", json.dumps(TAG).encode())
        assert (bulk.status, bulk.json["detail"]) == (503, refused.json["detail"])
        ready = await call("GET", "/readyz")
        assert ready.json["links"]["disk"] == refused.json["detail"]
        metrics = (await call("GET", "/metrics")).body.decode()
        assert "tidewatch_api_disk_full 1.0" in metrics
        assert "tidewatch_api_disk_used_ratio 0.8" in metrics
        ballast.write_bytes(b"x" * 600_000)
        await answered(call, nearly_full=False)
        assert "tidewatch_api_disk_full 0.0" in (await call("GET", "/metrics")).body.decode()

    with_app(settings, calls)
