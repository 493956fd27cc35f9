"""How parts are started: what gives way must give way to processes of other sessions too."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.embedded.launch import tied

SECONDS = 30.0
NICE = 7
AUTOGROUP = Path("/proc/self/autogroup")  # "/autogroup-123 nice 0"


@contextmanager
def running(niceness: int, *, own_session: bool) -> Iterator[int]:
    """The pid of a `sleep` that was started tied to us."""
    command = tied(["sleep", "60"], niceness)
    with subprocess.Popen(command, start_new_session=own_session) as process:  # noqa: S603  # ourselves, and `sleep`
        try:
            deadline = time.monotonic() + SECONDS
            while psutil.Process(process.pid).name() != "sleep":
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


def group_nice(pid: int) -> int:
    return int((AUTOGROUP.parents[1] / str(pid) / AUTOGROUP.name).read_text().split()[-1])


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel shares the processor among processes, not sessions")
def test_a_session_gives_way_with_its_process() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with running(NICE, own_session=True) as pid:
        assert os.getpriority(os.PRIO_PROCESS, pid) == own + NICE
        assert group_nice(pid) == own + NICE
    with running(0, own_session=True) as pid:
        assert group_nice(pid) == 0


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel shares the processor among processes, not sessions")
def test_the_callers_session_is_left_alone() -> None:
    before = group_nice(os.getpid())
    with running(NICE, own_session=False) as pid:
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + NICE
        assert group_nice(pid) == before
