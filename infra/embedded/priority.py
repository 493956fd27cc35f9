"""Who waits when there is too little processor for all.

Flink and ClickHouse give way to the parts that answer people, but only while everything runs: what is not ready yet is
missed by more than who waits for an answer, and the sooner all of it works, the better.
"""

import os
from collections.abc import Iterable

from infra.embedded.child import Child
from infra.embedded.niceness import renice


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
