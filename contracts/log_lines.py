"""Where structlog writes: a line each. A log on a full disk takes no lines, which must stop nobody's work."""

import threading
from typing import Final, TextIO


class LineLogger:
    """What structlog calls with each line that is ready; never raises because of the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except OSError:
                pass

    debug = info = warning = error = critical = exception = log = msg


class LineLoggerFactory:
    """For `structlog.configure(logger_factory=…)`; all loggers share the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._logger: Final = LineLogger(stream)

    def __call__(self, *_: object) -> LineLogger:
        return self._logger
