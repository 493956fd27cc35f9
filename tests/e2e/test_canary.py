"""The platform notices that its alarms are dead: the canary's whole way, and what is told when it is cut."""

import time
from collections.abc import Callable
from typing import Final

import pytest

from contracts.alerts import decode
from contracts.names import DATA_JOB, DETECTION_JOB
from contracts.rules import CANARY
from contracts.settings import Settings
from infra import topic_records
from infra.flink_cluster import FlinkCluster, FlinkError
from tests.e2e.test_recovery import link
from tests.e2e.world import World

PATIENCE: Final = 400.0
POLL: Final = 0.5
DEAD_MAN: Final = "alerts-do-not-arrive"


def test_canaries_go_the_whole_way_again_and_again(stack: Settings) -> None:
    until(lambda: len(canaries(stack)) >= 3)
    seen = canaries(stack)  # once: more come in between two looks
    assert {key.rpartition("-")[2] for key in seen} == {"firing", "resolved"}
    assert sorted(set(seen)) == sorted(seen)


@pytest.mark.parametrize("job", [DETECTION_JOB, DATA_JOB])
def test_a_job_that_stays_dead_is_told_past_it(stack: Settings, world: World, job: str) -> None:
    until(lambda: dead_man(world) == [])
    told = notes(stack)

    def is_told() -> bool:
        keep_dead(stack, job)
        # The supervisor may have seen the job run just before it was cancelled, and sees it end a moment later.
        return dead_man(world) == [DEAD_MAN] and notes(stack) > told and link(stack, "jobs").get("ready") is False

    until(is_told)
    until(lambda: dead_man(world) == [])


def keep_dead(stack: Settings, job: str) -> None:
    """Cancels it, however often the supervisor submits it."""
    cluster = FlinkCluster(stack)
    try:
        running = cluster.running(job)
        if running is not None:
            cluster.cancel(running)
    except FlinkError:
        return  # it ends, or begins


def canaries(stack: Settings) -> list[str]:
    """What a reader of committed transactions finds of them, by message id."""
    found = [decode(message.value() or b"") for message in topic_records.held(stack, stack.topics.alerts)]
    return [alert.message_id for alert in found if alert.rule == CANARY.name]


def dead_man(world: World) -> list[str]:
    """The rule of the alert, while it fires."""
    answer = world.call("GET", "/api/v1/alerts?status=firing")
    if answer.status != 200:
        return ["unknown"]  # the store is busy for a moment
    return [alert["rule"] for alert in answer.json()["alerts"] if alert["rule"] == DEAD_MAN]


def notes(stack: Settings) -> int:
    """How often the shipped receiver, the service's log, was told of it."""
    return (stack.state_path / "logs" / "alerts.log").read_text().count(DEAD_MAN)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL)
