"""What granian loads in each worker process."""

import gc
from typing import Final

from api import logs, metrics
from api.app import App
from contracts.settings_source import load

# Between looks for cycles. The default of 700 is reached every few requests, which leave no cycles behind.
_ALLOCATIONS: Final = 20_000


def make_app() -> App:
    """The app by the settings of the environment."""
    settings = load()
    logs.configure(settings.log_level)
    metrics.forget_dead_workers()
    app = App(settings)
    # What stands after the imports stays: the collector need not walk it at every turn.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS)
    return app
