"""Who waits when there is too little processor for all.

Flink and ClickHouse give way to the parts that answer people, but only while everything runs: what is not ready yet is
missed by more than who waits for an answer, and the sooner all of it works, the better. And only while they keep up: a
quick answer that is old is a wrong one.
"""

import os
from collections.abc import Iterable
from typing import Final

from infra.embedded.child import Child
from infra.embedded.niceness import renice

STARVED: Final = 5.0  # seconds that what is answered may be old; half of what is promised
FED: Final = 3.0  # below which they give way again; a checkpoint that is due makes it 2 at any time


class Priorities:
    """Sets the niceness of parts that are `niced`, each with all it started; call `apply` again and again."""

    def __init__(self, nice: int) -> None:
        """`nice` is added to our own niceness."""
        self._own = os.getpriority(os.PRIO_PROCESS, 0)
        self._nice = nice
        self._starved = False
        self._set: dict[int, int] = {}  # by pid; a part starts with our own

    def apply(self, children: Iterable[Child], *, ready: bool, behind: float = 0.0) -> None:
        """`ready`: whether everything runs; `behind`: seconds that what is answered is old.

        Only root can take niceness back; for others a part stays as it is.
        """
        self._starved = behind > (FED if self._starved else STARVED)
        wanted = self._own + (self._nice if ready and not self._starved else 0)
        before, self._set = self._set, {}
        for child in children:
            if not child.part.niced:
                continue
            now = before.get(child.pid, self._own)
            self._set[child.pid] = wanted if now != wanted and renice(child.pid, wanted) else now
