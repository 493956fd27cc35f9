"""Where structlog writes: a line each. A log on a full disk takes no lines, which must stop nobody's work."""

import os
from contextlib import suppress
from typing import TextIO


class LineLogger:
    """What structlog calls with each line that is ready; never raises because of the file.

    It writes past the stream's own buffer, which would keep every line that the disk did not take.
    """

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = stream.fileno()

    def msg(self, line: str) -> None:
        with suppress(OSError):
            os.write(self._descriptor, line.encode(errors="replace") + b"\n")

    debug = info = warning = error = critical = exception = log = msg


class LineLoggerFactory:
    """For `structlog.configure(logger_factory=…)`; all loggers share the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._logger = LineLogger(stream)

    def __call__(self, *_: object) -> LineLogger:
        return self._logger
