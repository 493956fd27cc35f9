"""The ways of telling somebody, one a file: the file's name is the `kind`, its subclass of `Receiver` does it."""

import importlib
import pkgutil
from functools import cache

from alerts.receiver import Receiver


@cache
def kinds() -> dict[str, type[Receiver]]:
    """By kind, found by scanning this folder."""
    return {module.name: _receiver(module.name) for module in pkgutil.iter_modules(__path__)}


def _receiver(name: str) -> type[Receiver]:
    module = importlib.import_module(f"{__name__}.{name}")
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    (found,) = [kind for kind in own if issubclass(kind, Receiver)]
    return found
