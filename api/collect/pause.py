"""Refusals wait for their answer.

Who sends again at once, over connections that are kept, would take more from those that are accepted than taking them
does, and would let them wait behind ever more refusals.
"""

import asyncio
from typing import Final

PAUSE_SECONDS: Final = 0.25  # at least
MOST_PAUSED: Final = 1000  # each holds a connection; those beyond are answered at once


class Pause:
    """Of one kind of refusals."""

    def __init__(self, each: float) -> None:
        """The more wait the longer, by `each` seconds: so refusing takes what one costs, divided by that, of the
        process."""
        self._each = each
        self.waiting = 0  # refusals

    async def wait(self) -> None:
        """Returns when the answer may go."""
        if self.waiting >= MOST_PAUSED:
            return
        self.waiting += 1
        try:
            await asyncio.sleep(max(PAUSE_SECONDS, self.waiting * self._each))
        finally:
            self.waiting -= 1
