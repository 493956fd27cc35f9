"""`@compiled`: numba's `njit`, typed, with the machine code kept on disk between runs.

numba takes kept code for good as long as the file of the function is unchanged, even if that calls functions of files
that are not. So the code of each state of this room's sources is kept in a folder of its own.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_ROOM: Final = Path(__file__).parent


def _folder() -> Path:
    sources = b"".join(file.read_bytes() for file in sorted(_ROOM.rglob("*.py")))
    return _ROOM / "__pycache__" / f"numba-{hashlib.sha256(sources).hexdigest()[:16]}"


_kept: Final = os.access(_ROOM, os.W_OK)  # where the checkout is read-only, each process compiles for itself
if _kept:
    numba.config.CACHE_DIR = str(_folder())  # type: ignore[attr-defined]  # made at run time, says the manual


def compiled(function: F) -> F:
    """Compiled at its first call for the types it is called with; division by zero gives inf or nan, as in numpy."""
    return cast(F, numba.njit(cache=_kept, error_model="numpy", nogil=True)(function))
