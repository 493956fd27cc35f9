"""Who gives way does so to the processes of other sessions too, and only while everything runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.settings import Settings
from infra.embedded.child import Child
from infra.embedded.part import Part
from infra.embedded.priority import Priorities

NICE = 7
OWN = os.getpriority(os.PRIO_PROCESS, 0)
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take niceness back")


class Sleeper(Part):
    """A process that waits, with a child that does."""

    name = "sleeper"
    niced = True

    def command(self) -> list[str]:
        return ["sh", "-c", "sleep 60 & wait"]

    def ready(self) -> str | None:
        return None

    def ports(self) -> dict[str, int]:
        return {}

    def version(self) -> str:
        return "1"


class Eager(Sleeper):
    name = "eager"
    niced = False


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[Child]]:
    settings = Settings(state_dir=tmp_path)
    started = [Child(Sleeper(settings)), Child(Eager(settings))]
    yield started
    for child in started:
        child.kill()


def niceness(child: Child) -> set[int]:
    """Of the process, of its group, and of its session where Linux has that."""
    found = {os.getpriority(os.PRIO_PROCESS, child.pid), os.getpriority(os.PRIO_PGRP, child.pid)}
    session = Path(f"/proc/{child.pid}/autogroup")  # "/autogroup-123 nice 0"
    return found | ({int(session.read_text().split()[-1])} if session.exists() else set())


def test_it_gives_way_when_everything_runs(children: list[Child]) -> None:
    sleeper, eager = children
    before = niceness(sleeper)
    priorities = Priorities(NICE)
    priorities.apply(children, ready=False)
    assert niceness(sleeper) == before
    priorities.apply(children, ready=True)
    assert niceness(sleeper) == {OWN + NICE}
    assert niceness(eager) == before


@only_root
def test_it_takes_its_share_while_something_is_missing(children: list[Child]) -> None:
    priorities = Priorities(NICE)
    priorities.apply(children, ready=True)
    priorities.apply(children, ready=False)
    assert niceness(children[0]) == {OWN}
    priorities.apply(children, ready=True)
    assert niceness(children[0]) == {OWN + NICE}


def test_what_has_ended_is_left_alone(children: list[Child]) -> None:
    children[0].kill()
    Priorities(NICE).apply(children, ready=True)
