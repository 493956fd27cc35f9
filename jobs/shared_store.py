"""The profile store of a Python worker: its subtasks share one, as LMDB opens a file only once a process.

A module of its own, since what is run as a job's main module is sent to the workers by value, which no lock survives.
"""

from threading import Lock

from contracts.settings import Settings
from stores.profiles import ProfileStore, open_store

_stores: dict[str, ProfileStore] = {}
_opening = Lock()


def shared_store(settings: Settings) -> ProfileStore:
    """Opened when first asked for, and then for as long as the process lives; restarts of the job find it again."""
    key = settings.profiles.model_dump_json() + str(settings.profiles_path)
    with _opening:
        if key not in _stores:
            _stores[key] = open_store(settings, writable=True)
        return _stores[key]
