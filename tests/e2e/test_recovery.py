"""Parts of the running stack are killed: the supervisor brings each back, and the jobs from their newest state."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from cli.supervision import ask
from contracts.names import DATA_JOB
from contracts.settings import Settings
from infra.flink_cluster import FlinkCluster, FlinkError

DEADLINE = 400.0  # machines of CI are slow, and may be busy with more than us


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def link(settings: Settings, name: str) -> dict[str, Any]:
    state = ask(settings) or {"links": []}
    found: dict[str, Any] = next((link for link in state["links"] if link["name"] == name), {})
    return found


def is_ready(settings: Settings) -> bool:
    state = ask(settings)
    return state is not None and bool(state["ready"])


def kill(settings: Settings, name: str) -> None:
    """SIGKILL, and waits until the supervisor has started it anew and everything is ready again."""
    until(lambda: is_ready(settings), f"not ready before {name} is killed")
    part = link(settings, name)
    os.kill(part["pid"], signal.SIGKILL)
    until(lambda: link(settings, name).get("restarts", 0) > part["restarts"], f"{name} was not started again")
    until(lambda: link(settings, name).get("ready") is True, f"{name} does not answer")


def has_checkpoint(cluster: FlinkCluster, job: str) -> bool:
    try:
        return cluster.metrics(job, time.time()).checkpoints > 0
    except FlinkError:  # it takes long to answer
        return False


def test_a_lost_jobmanager_gets_its_job_back_from_the_newest_state(stack: Settings) -> None:
    until(lambda: is_ready(stack), "not ready before the kill")
    cluster = FlinkCluster(stack)
    lost = cluster.running(DATA_JOB)
    assert lost is not None
    until(lambda: has_checkpoint(cluster, lost), "no checkpoint before the kill")
    kill(stack, "flink-jobmanager")
    until(lambda: is_ready(stack), "not ready after the JobManager was killed")
    now = cluster.running(DATA_JOB)
    assert now not in (None, lost)
    entry = cluster.ledger.of(DATA_JOB)[0]
    assert entry.job_id == now
    assert entry.restored is not None
    assert lost in entry.restored


@pytest.mark.parametrize("name", ["flink-taskmanager", "api"])
def test_a_killed_part_comes_back(stack: Settings, name: str) -> None:
    kill(stack, name)
    until(lambda: is_ready(stack), f"not ready after {name} was killed")
