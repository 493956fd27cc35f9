"""A sign of life to an outside service, which raises the alarm when it stays away: for when everything here is dead."""

import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from typing import Final

import structlog

TIMEOUT: Final = 10.0  # seconds

log: Final = structlog.get_logger()


class Heartbeat:
    """Calls `url` every so many seconds; an empty one never. It may hold a secret, and is not shown."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url, self._every = url, int(seconds * 1000)
        self._at = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")
        self._call: Future[None] | None = None

    def beat(self, well: bool, now: int) -> None:
        """Calls it when it is time and all is well. Does not wait for the answer."""
        if not self._url or not well or now < self._at or (self._call is not None and not self._call.done()):
            return
        self._at = now + self._every
        self._call = self._pool.submit(self._get)

    def close(self) -> None:
        """No more calls."""
        self._pool.shutdown(cancel_futures=True)

    def _get(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT):  # noqa: S310  # the operator's own address
                return
        except (OSError, ValueError, HTTPException) as error:
            reason = f"answered {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
            log.warning("the heartbeat was not taken", reason=reason)
