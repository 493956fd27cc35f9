"""Whether more single calls come than this process can take: then some are refused, and the others answered in time.

Both signs must be there: many calls that wait mean little while the broker pauses for a moment, and a loop that is late
means little while few wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Final, TypeVar

from api.asgi import Response, problem_response
from api.collect.pause import Pause
from api.problems import unavailable

_LOOK_SECONDS: Final = 0.05
_LOOKS: Final = 4
_LATE_LOOKS: Final = 2  # of them
_LATE_SECONDS: Final = 0.05  # what comes in waits as long before it is seen, and again before it is answered
_PAUSE_EACH: Final = 0.0008  # seconds: the thousand that may wait are answered within one; refusing costs 0.1 ms
# Made once: refusing must cost far less than taking.
_REFUSAL: Final[Response] = problem_response(
    unavailable("more events come than can be taken: send again later, or many in a call")
)


T = TypeVar("T")


class LoadGate:
    """`pending`: the calls that were let in and wait for their answer."""

    def __init__(self, most: int) -> None:
        """Refuses while `most` are pending and the loop is late again and again."""
        self.pending = 0
        self._most = most
        self._late = False
        self._looks = deque([0.0] * _LOOKS, maxlen=_LOOKS)
        self._pause = Pause(_PAUSE_EACH)

    @property
    def refuses(self) -> bool:
        return self.pending >= self._most and self._late

    async def until(self, answer: Awaitable[T]) -> T:
        """What a call that was let in waits for."""
        self.pending += 1
        try:
            return await answer
        finally:
            self.pending -= 1

    async def refusal(self) -> Response:
        """The answer to what is refused, after a pause: as many calls as are then under way are answered in time."""
        await self._pause.wait()
        return _REFUSAL

    def note(self, late: float) -> None:
        """How many seconds late the loop was. Once is a moment in which others had the core, and what came in meanwhile
        may soon be done with; again within a few looks it is not."""
        self._looks.append(late)
        self._late = sorted(self._looks)[-_LATE_LOOKS] > _LATE_SECONDS

    async def watch(self) -> None:
        """Looks how late the loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self.note(loop.time() - due)
