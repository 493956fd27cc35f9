"""When the collector stops because of the disk, and when it goes on."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.collect.disk import DiskGate, Room, room_of, size_of
from api.problems import Problem
from contracts.settings import Api


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
        Problem, match=r"83% .*\(83.00 of 100.00 GB\): events are refused until it is below 75%"
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
