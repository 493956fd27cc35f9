"""The file of routes, read again when it changes."""

from pathlib import Path
from typing import Final

import structlog

from alerts import metrics
from alerts.config import Config, ConfigError, load

log: Final = structlog.get_logger()


class RoutesFile:
    """One that is not usable leaves the last one in force; `reason` says what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._config: Config | None = None
        self._seen: tuple[int, int] | None = None
        self.reason: str | None = "not read yet"

    def current(self) -> tuple[Config | None, bool]:
        """The routes in force, None when there never were any; and whether they are new."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return self._config, False
            self._seen = seen
            self._config, self.reason = load(self._path), None
        except (ConfigError, OSError) as error:
            self._refuse(str(error))
            return self._config, False
        log.info("routes read", path=str(self._path))
        metrics.CONFIG_OK.set(1)
        return self._config, True

    def _refuse(self, reason: str) -> None:
        if self.reason != reason:
            log.error("routes not usable, the last ones stay in force", reason=reason)
        self.reason = reason
        metrics.CONFIG_OK.set(0)
