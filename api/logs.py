"""Logs of the API: one JSON object a line on standard error. What is logged never holds bodies, tokens or settings."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import Processor

from contracts.log_lines import LineLoggerFactory

_SHARED: list[Processor] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(level: str) -> None:
    """Sets up structlog; `level` as in the settings."""
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=LineLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def json_formatter() -> logging.Formatter:
    """For the server's own log, which goes through the standard library."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )


def server_configuration() -> dict[str, Any]:
    """The `logging` configuration that granian's processes take."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "api.logs.json_formatter"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {"_granian": {"handlers": ["console"], "level": "INFO", "propagate": False}},
    }
