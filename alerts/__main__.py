"""`python -m alerts`: the alert service, until SIGTERM."""

import logging
import os
import signal
import socket
import sys
import time
import uuid

import structlog

from alerts.endpoints import serve
from alerts.service import Service
from contracts.log_lines import LineLoggerFactory
from contracts.settings import SettingsError
from contracts.settings_source import load
from stores.alerts import open_store


def main() -> int:
    """Exit status 2 when the settings cannot be used. Without usable routes it waits for them, and says so."""
    try:
        settings = load()
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    _configure_log(settings.log_level)
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    service = Service(settings, open_store(settings), holder, wall_clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    server = serve(settings.host, settings.alerts.port, service)
    service.run()
    server.shutdown()
    server.server_close()
    return 0


def wall_clock() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _configure_log(level: str) -> None:
    """One JSON object a line on standard error; what is logged holds no secrets and no addresses of receivers."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=LineLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    sys.exit(main())
