"""Whether more single tags come than this process can take: then some are refused, and the others answered in time.

Both signs must be there: many tags that wait mean little while the broker pauses for a moment, and a loop that is late
means little while few wait.
"""

import asyncio
from typing import Final

from api.asgi import Response, problem_response
from api.collect.pause import Pause
from api.problems import unavailable

_LOOK_SECONDS: Final = 0.05
_LATE_SECONDS: Final = (
    0.05  # the loop took so much longer for a turn: what comes in waits as long before it is even seen
)
_PAUSE_EACH: Final = 0.001  # seconds; refusing a call costs 0.1 ms
# Made once: refusing must cost far less than taking.
_REFUSAL: Final[Response] = problem_response(
    unavailable("more events come than can be taken: send again later, or many in a call")
)


class LoadGate:
    """`pending` is to be kept up to date: tags that were taken one by one and are not answered yet."""

    def __init__(self, most: int) -> None:
        """Refuses while `most` are pending and the loop is late."""
        self.pending = 0
        self.late = False
        self._most = most
        self._pause = Pause(_PAUSE_EACH)

    @property
    def refuses(self) -> bool:
        return self.pending >= self._most and self.late

    async def refusal(self) -> Response:
        """The answer to what is refused, after a pause: as many calls as are then under way are answered in time."""
        await self._pause.wait()
        return _REFUSAL

    async def watch(self) -> None:
        """Looks how late the loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self.late = loop.time() - due > _LATE_SECONDS
