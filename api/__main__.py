"""`python -m api`: serves the API until SIGTERM, then finishes what is in flight and ends."""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server.mp import MPServer

from api import logs, signals
from contracts.settings import Settings, SettingsError
from contracts.settings_source import load

_BACKLOG = 2048
_CONNECTIONS = 8192  # of a worker at a time; each costs some kilobytes
_KILL_SECONDS = 9  # a worker that has not ended so long after SIGTERM is killed


def main() -> int:
    """Exit status 2 when the settings cannot be used."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if not settings.is_private and not settings.api.tokens:
        sys.stderr.write(f"error: host {settings.host} is reachable from outside: set api.tokens\n")
        return 2
    if settings.api.workers > 1:
        _share_metrics(settings.state_path / "api-metrics")
    _server(settings).serve()
    return 0


class Server(MPServer):
    """Tells its workers when it is told to end."""

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        for worker in self.wrks:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, signals.DRAIN)
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]  # granian types it not


def _server(settings: Settings) -> Server:
    return Server(
        "api.worker:make_app",
        factory=True,
        address=settings.host,
        port=settings.api.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api.workers,
        backlog=_BACKLOG,
        backpressure=_CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_KILL_SECONDS,
        log_dictconfig=logs.server_configuration(),
    )


def _share_metrics(folder: Path) -> None:
    """What an earlier run left there is wiped."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[signals.SHARED_METRICS] = str(folder)


if __name__ == "__main__":
    sys.exit(main())
