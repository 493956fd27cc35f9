"""Profiles in an LMDB file: many processes of one machine read and write it.

Writers queue for LMDB's writer lock, which the system frees when its holder is killed; a transaction is then as if it
had never been. Commits are not synced to the disk unless `profiles.sync` is set: a kill loses nothing, a power cut may
leave a broken file, which is to be deleted and rebuilt from the archive.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import lmdb

from analysis.profiles import EMPTY, Profile, ProfileUpdate
from contracts.settings import Profiles
from stores.profile_codec import CorruptProfile, ProfileCodec
from stores.profiles import ProfilesUnavailable

_LONGEST_KEY: Final = 511  # LMDB's limit
_MAX_READERS: Final = 512  # threads and processes that read at the same time
_DATA_FILE: Final = "data.mdb"

T = TypeVar("T")


class LmdbProfiles:
    """A ProfileStore in the folder `path`, which a process opens once; its threads take turns."""

    blocking = False

    def __init__(self, path: Path, settings: Profiles, *, writable: bool) -> None:
        self._path = path
        self._settings = settings
        self._writable = writable
        # zstd contexts are not for sharing, and a file must not be unmapped while another thread reads it.
        self._lock = threading.Lock()
        self._codec = ProfileCodec(settings.keep)
        self._environment: lmdb.Environment | None = None
        self._file: tuple[int, int] | None = None  # device and inode of the file that is open
        if writable:
            self._attempt(lambda environment: None)  # creates the file: a store without profiles is not a missing one

    def update(self, events: Mapping[str, ProfileUpdate]) -> None:
        """All cookies in one transaction: after a failure or a kill none of them is changed."""
        rows = sorted(
            (_key(cookie), update) for cookie, update in events.items()
        )  # the tree is walked in one direction
        self._attempt(lambda environment: self._write(environment, rows))

    def _write(self, environment: lmdb.Environment, rows: list[tuple[bytes, ProfileUpdate]]) -> None:
        environment.reader_check()  # a reader that was killed would hold on to old pages, and the file would grow
        with environment.begin(write=True, buffers=True) as transaction, transaction.cursor() as cursor:
            for key, update in rows:
                old = cursor.value() if cursor.set_key(key) else None
                cursor.put(key, self._codec.add(old, update))

    def read(self, cookie: str) -> Profile:
        """One look-up of one key; the read transaction ends with it, since a long one makes the file grow."""
        key = _key(cookie)
        return self._attempt(lambda environment: self._read(environment, key))

    def _read(self, environment: lmdb.Environment, key: bytes) -> Profile:
        with environment.begin(buffers=True) as transaction:
            value = transaction.get(key)
            return EMPTY if value is None else self._codec.decode(value)

    def check(self) -> None:
        """The file is there and answers."""
        self.read("check")

    def close(self) -> None:
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._environment is not None:
            self._environment.close()
        self._environment = self._file = None

    def _attempt(self, action: Callable[[lmdb.Environment], T]) -> T:
        """The action's result on the file that now stands at the path."""
        try:
            with self._lock:
                return self._retry_resized(action)
        except (lmdb.Error, OSError, CorruptProfile) as error:
            raise ProfilesUnavailable(f"profile store {self._path}: {error}") from error

    def _retry_resized(self, action: Callable[[lmdb.Environment], T]) -> T:
        environment = self._current()
        try:
            return action(environment)
        except lmdb.MapResizedError:  # another process, set up with a larger map, has made the file grow past ours
            environment.set_mapsize(0)
        except lmdb.ReadersFullError:  # readers that were killed hold slots
            environment.reader_check()
        return action(environment)

    def _current(self) -> lmdb.Environment:
        """The open environment, opened anew when its file was deleted or replaced, as a rebuild does."""
        if self._environment is not None and self._file == self._file_on_disk():
            return self._environment
        self._release()
        if self._writable:
            self._path.mkdir(parents=True, exist_ok=True)
        environment = lmdb.open(
            str(self._path),
            map_size=int(self._settings.map_size_gb * 2**30),
            readonly=not self._writable,
            create=self._writable,
            max_readers=_MAX_READERS,
            sync=self._settings.sync,
            readahead=False,  # reads are scattered: reading ahead would only fill the memory
        )
        self._environment, self._file = environment, self._file_on_disk()
        return environment

    def _file_on_disk(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path / _DATA_FILE)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def _key(cookie: str) -> bytes:
    """The cookie, or its digest when it is too long for a key; 0xff never occurs in UTF-8, so none is mistaken."""
    key = cookie.encode()
    return key if 0 < len(key) <= _LONGEST_KEY else b"\xff" + hashlib.blake2b(key, digest_size=32).digest()
