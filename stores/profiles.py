"""The profile store: one protocol, whatever keeps the profiles."""

from collections.abc import Mapping
from typing import Protocol

from analysis.profiles import Profile, ProfileUpdate
from contracts.settings import Settings


class ProfilesUnavailable(Exception):
    """The store cannot be asked or written to now; the message says why. What was to be written was not, or in part:
    writing it again is harmless."""


class ProfileStore(Protocol):
    """Profiles by cookie. Adding is a union by event identity, so replays, disorder and two writers change nothing."""

    blocking: bool
    """Whether a read waits for a network, so that an event loop should leave it to a thread."""

    def update(self, events: Mapping[str, ProfileUpdate]) -> None:
        """Adds the events of each cookie, which stand in the store when this returns.

        Threads and other processes may write at the same time. Raises ProfilesUnavailable.
        """

    def read(self, cookie: str) -> Profile:
        """The newest events of the cookie, empty lists for an unknown one. Raises ProfilesUnavailable."""

    def check(self) -> None:
        """Raises ProfilesUnavailable, with the reason, when reads would."""

    def close(self) -> None:
        """Gives up what is held open; the store is not used afterwards."""


def open_store(settings: Settings, *, writable: bool) -> ProfileStore:
    """The store that the settings name. A reader may be opened before the store exists: it is then unavailable."""
    if settings.profiles.kind == "redis":
        from stores.profiles_redis import RedisProfiles  # each kind needs its own library: only the chosen is loaded

        return RedisProfiles(settings.profiles.redis_url.get_secret_value(), settings.profiles.keep)
    from stores.profiles_lmdb import LmdbProfiles

    return LmdbProfiles(settings.profiles_path, settings.profiles, writable=writable)
