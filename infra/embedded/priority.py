"""Who waits when there is too little processor for all.

Flink and ClickHouse give way to the parts that answer people, but only while everything runs: what is not ready yet is
missed by more than who waits for an answer, and the sooner all of it works, the better.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from infra.embedded.child import Child


class Priorities:
    """Sets the niceness of parts that are `niced`, each with all it started; call `apply` again and again."""

    def __init__(self, nice: int) -> None:
        """`nice` is added to our own niceness."""
        self._own = os.getpriority(os.PRIO_PROCESS, 0)
        self._nice = nice
        self._set: dict[int, int] = {}  # by pid; a part starts with our own

    def apply(self, children: Iterable[Child], *, ready: bool) -> None:
        """`ready`: whether everything runs. Only root can take niceness back; for others a part stays as it is."""
        wanted = self._own + (self._nice if ready else 0)
        before, self._set = self._set, {}
        for child in children:
            if not child.part.niced:
                continue
            now = before.get(child.pid, self._own)
            self._set[child.pid] = wanted if now != wanted and renice(child.pid, wanted) else now


def renice(leader: int, niceness: int) -> bool:
    """Of the session of processes that `leader` leads, to -20 (goes first) to 19; False when it is to be tried again.

    Linux, outside of containers, shares the processor among sessions first (autogroup, see sched(7)) and looks at the
    niceness of processes within a session only, so the session has a niceness as well.
    """
    try:
        os.setpriority(os.PRIO_PGRP, leader, niceness)
        Path(f"/proc/{leader}/autogroup").write_text(str(niceness))
    except BlockingIOError:  # who is not root may set one in a tenth of a second on the whole machine
        return False
    except OSError:  # it has ended, or only root may, or this kernel has no such file
        return True
    return True
