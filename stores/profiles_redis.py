"""Profiles in Redis (or a server that speaks its protocol and runs Lua), for machines that share one store.

The values are those of the LMDB store. A frame is added on the server, in one script: writers never read before they
write, so none undoes another. Folding replaces a value only if it is still the one that was read.

What Redis acknowledged may be lost with its machine unless its append-only file says otherwise (`appendfsync`).
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final, TypeVar

import redis

from analysis.profiles import Profile, ProfileUpdate
from stores.profile_codec import TAIL_BYTES, CorruptProfile, ProfileCodec
from stores.profiles import ProfilesUnavailable

_PREFIX: Final = b"tidewatch:profile:"
_TIMEOUT: Final = 2.0  # seconds, for connecting and for each answer: a caller waits no longer

T = TypeVar("T")


class RedisProfiles:
    """A ProfileStore in the Redis database at `url`. Threads may share it."""

    blocking = True

    def __init__(self, url: str, keep: int) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._append = self._client.register_script(_script("profiles_append"))
        self._replace = self._client.register_script(_script("profiles_replace"))
        self._codec = ProfileCodec(keep)
        self._lock = threading.Lock()  # zstd contexts are not for sharing

    def update(self, events: Mapping[str, ProfileUpdate]) -> None:
        """Each cookie by itself: after a failure some have their events and some have not."""
        with self._lock:
            frames = {_key(cookie): self._codec.frame(update) for cookie, update in events.items()}
        self._attempt(lambda: self._add(frames))

    def _add(self, frames: dict[bytes, bytes]) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for key, frame in frames.items():
                self._append(keys=[key], args=[frame], client=pipeline)
            tails: list[int] = pipeline.execute()
        grown = [key for key, tail in zip(frames, tails, strict=True) if tail > TAIL_BYTES]
        if grown:
            self._fold(grown)

    def _fold(self, keys: list[bytes]) -> None:
        values: Any = self._client.mget(keys)
        with self._client.pipeline(transaction=False) as pipeline:
            for key, value in zip(keys, values, strict=True):
                if value and self._codec.wants_fold(value):
                    digest = hashlib.sha1(value, usedforsecurity=False).hexdigest()
                    with self._lock:
                        folded = self._codec.fold(value)
                    self._replace(keys=[key], args=[digest, folded], client=pipeline)
            pipeline.execute()

    def read(self, cookie: str) -> Profile:
        """One GET."""
        return self._attempt(lambda: self._read(_key(cookie)))

    def _read(self, key: bytes) -> Profile:
        value: Any = self._client.get(key)
        with self._lock:
            return self._codec.decode(value or b"")

    def check(self) -> None:
        """The server answers."""
        self._attempt(self._client.ping)

    def close(self) -> None:
        self._client.close()

    def _attempt(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (redis.RedisError, OSError, CorruptProfile) as error:
            raise ProfilesUnavailable(f"profile store: {error}") from error


def _key(cookie: str) -> bytes:
    return _PREFIX + cookie.encode()


def _script(name: str) -> str:
    return files("stores").joinpath(f"{name}.lua").read_text(encoding="utf-8")
