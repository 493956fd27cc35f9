"""Whether a body that comes now would wait too long for the thread that reads bodies: then it is refused.

What waits is weighed by time, not by number: bodies of a hundred lines and of fifty thousand come by the same routes.
"""

from typing import Final

_FEW: Final = 4  # so many are taken however long they are: few senders of large bodies are no overload
_PATIENCE_SECONDS: Final = 0.1  # half of what an accepted call may take
_WEIGHT: Final = 0.1  # of the newest body in the means


class Backlog:
    """Bodies that are read wholly, until the thread is through with them. Used from the event loop's thread."""

    def __init__(self) -> None:
        self._bodies = 0
        self._bytes = 0
        self._mean_seconds, self._mean_bytes = 0.0, 0.0  # of the last bodies, the newest counting most

    @property
    def seconds(self) -> float:
        """How long the thread will take for what waits, by what it took lately; 0 before the first body."""
        return self._bytes * self._mean_seconds / self._mean_bytes if self._mean_bytes else 0.0

    @property
    def refuses(self) -> bool:
        return self._bodies >= _FEW and self.seconds > _PATIENCE_SECONDS

    def entered(self, size: int) -> None:
        """A body of so many bytes waits for the thread."""
        self._bodies += 1
        self._bytes += size

    def left(self, size: int) -> None:
        """The thread is through with it, or its caller went."""
        self._bodies -= 1
        self._bytes -= size

    def took(self, size: int, seconds: float) -> None:
        """So long the thread took for a body; it is not asked after empty ones."""
        # A mean of paces would be that of the small ones, which take longer a byte.
        self._mean_seconds += _WEIGHT * (seconds - self._mean_seconds)
        self._mean_bytes += _WEIGHT * (size - self._mean_bytes)
