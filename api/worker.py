"""What granian loads in each worker process."""

import gc

from api import logs
from api.app import App
from contracts.settings import load


def make_app() -> App:
    """The app by the settings of the environment."""
    settings = load()
    logs.configure(settings.log_level)
    app = App(settings)
    # What stands after the imports stays: the collector need not walk it at every turn.
    gc.collect()
    gc.freeze()
    return app
