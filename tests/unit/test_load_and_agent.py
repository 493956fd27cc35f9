"""What `tidewatch load` sends when, and what `tidewatch agent` reads."""

import pytest

from cli.agent import gauges, growth, read_totals
from cli.load import LINES_A_CALL, parts

NOW = 1_700_000_000_000
LINES = [
    b"Timestamp Build_Version Error_Code",
    b"2023-11-14T10:00:00Z 1.2 -7",
    b"2023-11-14T10:00:00.900Z 1.2 -7",
    b"nonsense",
    b"2023-11-14T10:00:02Z 1.3 404",
    b"2023-11-14T10:01:00Z 1.3 404",
]


@pytest.mark.parametrize(("speed", "dues"), [(1, [0, 2, 60]), (2, [0, 1, 30]), (60, [0, 1])])
def test_lines_are_due_as_far_apart_as_they_happened(speed: float, dues: list[int]) -> None:
    found = list(parts(LINES, NOW, speed))
    assert [int(part.due) for part in found] == dues
    assert [line for part in found for line in part.lines] == LINES


def test_without_speed_only_the_size_of_a_call_divides() -> None:
    lines = [LINES[1], LINES[-1]] * LINES_A_CALL
    assert [(part.due, len(part.lines)) for part in parts(lines, NOW, 0)] == [(0, LINES_A_CALL)] * 2


def test_an_empty_file_is_nothing_to_send() -> None:
    assert list(parts([b"", b"\n"], NOW, 1)) == []


def test_readings_are_of_this_machine() -> None:
    found = {reading.name: reading for reading in gauges()}
    assert 0 < found["host_memory_percent"].value <= 100
    assert 0 <= found["host_disk_percent"].value <= 100
    assert found["host_disk_percent"].labels["mount"].startswith("/")


def test_counters_grow_by_what_came_since_and_start_anew() -> None:
    grown = growth({"a": 10, "b": 10}, {"a": 15, "b": 3, "c": 2})
    assert [(reading.kind, reading.name, reading.value) for reading in grown] == [
        ("counter", "a", 5.0),
        ("counter", "b", 3.0),
        ("counter", "c", 2.0),
    ]
    assert all(value >= 0 for value in read_totals().values())
