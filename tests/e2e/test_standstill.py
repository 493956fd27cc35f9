"""Points go on coming in while ClickHouse or the jobs stand still: afterwards each that was accepted is there, once."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contracts.settings import Settings
from tests.e2e.test_recovery import link
from tests.e2e.world import World, wait_until

STILL_SECONDS = 13.0  # Flink gives a TaskManager up that was silent for 10
A_CALL = 500  # points
EVERY = 0.05  # seconds
HOUR = "2012-05-01/12"
START_MS = 1_335_873_600_000  # of that hour


@contextmanager
def standing_still(settings: Settings, part: str) -> Iterator[None]:
    pid = link(settings, part)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("part", ["clickhouse", "flink-taskmanager"])
def test_what_came_in_meanwhile_is_there_once(stack: Settings, world: World, part: str) -> None:
    metric = f"e2e_still_{part}"
    accepted = _push(world, metric, 0)
    with standing_still(stack, part):
        end = time.monotonic() + STILL_SECONDS
        while time.monotonic() < end:
            accepted += _push(world, metric, accepted)
            time.sleep(EVERY)  # many points, but no flood
    expected = {"count": accepted, "sum": sum(range(accepted)), "median": (accepted - 1) / 2, "max": accepted - 1}
    wait_until(lambda: _differs(world, metric, accepted, expected))


def _push(world: World, metric: str, first: int) -> int:
    """How many were accepted: point n has the value n."""
    lines = [
        b'{"name":"%s","time":%d,"value":%d}' % (metric.encode(), START_MS + number, number)
        for number in range(first, first + A_CALL)
    ]
    answer = world.call("POST", "/v1/points", b"\n".join(lines))
    assert (answer.status, answer.json()["rejected"]) == (202, 0)
    return int(answer.json()["accepted"])


def _differs(world: World, metric: str, count: int, expected: dict[str, float]) -> str | None:
    """The sums come from bins, the median from the points themselves."""
    for stat, value in expected.items():
        answer = world.call("GET", f"/{metric}/{stat}/{HOUR}")
        if answer.status != 200 or (answer.json()["value"], answer.json()["count"]) != (value, count):
            return f"{metric} {stat}: {answer.body!r}, not {value} of {count}"
    return None
