"""`@compiled`: numba's `njit`, typed, with the machine code kept on disk between runs."""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compiled at its first call for the types it is called with; division by zero gives inf or nan, as in numpy."""
    wrapped: F = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    return wrapped
