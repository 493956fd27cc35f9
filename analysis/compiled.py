"""`@compiled`: numba's `njit`, typed, with the machine code kept on disk between runs.

Compiling takes ten seconds, and a job's workers import us from a zip that lies elsewhere at each start, of which
numba by itself keeps nothing that is found again. So what is kept goes by the content of this room's sources: a folder
for each state of them, in NUMBA_CACHE_DIR, or else beside the sources.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba

if TYPE_CHECKING:
    from importlib.abc import Traversable  # elsewhere in newer versions of Python

F = TypeVar("F", bound=Callable[..., Any])


def _sources(folder: "Traversable") -> Iterator[bytes]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _sources(entry)
        elif entry.name.endswith(".py"):
            yield entry.read_bytes()


def _folder() -> Path | None:
    """Where machine code is kept; None where nothing can be written, and each process compiles for itself."""
    room = Path(__file__).parent
    known = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # made at run time, says the manual
    parent = Path(known) if known else room / "__pycache__"
    digest = hashlib.sha256(b"".join(_sources(files("analysis")))).hexdigest()[:16]
    try:
        (parent / digest).mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return parent / digest if os.access(parent / digest, os.W_OK) else None


_kept: Final = _folder()


class Locator:
    """Tells numba where a function's machine code is; numba asks for these methods by their names."""

    def __init__(self, place: str) -> None:
        self._place = place

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "Locator | None":
        """None for functions of other packages, which numba's own locators take."""
        module = function.__module__
        return cls(f"{module}-{function.__code__.co_firstlineno}") if module.startswith("analysis.") else None

    def ensure_cache_path(self) -> None:
        """It is there."""

    def get_cache_path(self) -> str:
        return str(_kept)

    def get_source_stamp(self) -> str:
        """Of no use: a folder is of one state of the sources."""
        return ""

    def get_disambiguator(self) -> str:
        return self._place


if _kept:
    locators = f"{__name__}.Locator,InTreeCacheLocator,UserWideCacheLocator,IPythonCacheLocator,ZipCacheLocator"
    numba.config.CACHE_LOCATOR_CLASSES = locators  # type: ignore[attr-defined]


def compiled(function: F) -> F:
    """Compiled at its first call for the types it is called with; division by zero gives inf or nan, as in numpy."""
    return cast(F, numba.njit(cache=_kept is not None, error_model="numpy", nogil=True)(function))
