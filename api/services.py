"""What the routes of one worker process share, made when it starts and closed when it ends."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from api.alert_feed import AlertFeed
from api.collect.collector import Collector
from api.rolled_days import RolledDays
from api.touched_hours import TouchedHours
from api.warehouse import Warehouse
from contracts.settings import Settings
from stores.alerts import AlertStore
from stores.alerts import open_store as open_alerts
from stores.profiles import ProfileStore, ProfilesUnavailable, open_store

_CHECK_SECONDS: Final = 2.0  # a link that takes longer to answer is broken
# The process is to end within 10 s of SIGTERM: so long the broker may take for what is in flight, then for the rest.
_DRAIN_SECONDS: Final = 6.0
_CLOSE_SECONDS: Final = 1.0


def wall_clock() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Services:
    """The links to the other parts. Opening none of them waits for the other side."""

    settings: Settings
    collector: Collector  # of user tags
    points: Collector
    profiles: ProfileStore
    warehouse: Warehouse
    touched: TouchedHours
    rolled_days: RolledDays
    alerts: AlertStore
    alert_feed: AlertFeed
    _watch: Warehouse  # a link of its own with a short timeout, for the readiness check
    _checks: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(3, thread_name_prefix="ready"))

    @classmethod
    def open(cls, settings: Settings, loop: asyncio.AbstractEventLoop) -> "Services":
        """Called in the event loop."""
        warehouse = Warehouse(settings, settings.api.query_seconds)
        return cls(
            settings,
            Collector(settings, settings.topics.user_tags, wall_clock, loop),
            Collector(settings, settings.topics.points, wall_clock, loop),
            open_store(settings, writable=False),
            warehouse,
            TouchedHours(lambda: _touched(warehouse), time.monotonic),
            RolledDays(lambda metric, begin, most: _rolled_day(warehouse, metric, begin, most)),
            open_alerts(settings),
            AlertFeed(settings),
            Warehouse(settings, _CHECK_SECONDS),
        )

    def readiness(self) -> dict[str, str | None]:
        """Each link with what is broken about it, None when it works. Blocks for some 2 s at most."""
        checks: dict[str, Callable[[], str | None]] = {
            "kafka": self._check_kafka,
            "clickhouse": self._watch.check,
            "profiles": self._check_profiles,
        }
        running = {name: self._checks.submit(check) for name, check in checks.items()}
        return {**{name: future.result() for name, future in running.items()}, "disk": self.collector.disk_reason}

    def drain(self) -> None:
        """Called when the process was told to end, while requests are still in flight."""
        for collector in (self.collector, self.points):
            collector.drain(_DRAIN_SECONDS)

    async def close(self) -> None:
        """After the last request: closes the links."""
        await asyncio.gather(*(collector.close(_CLOSE_SECONDS) for collector in (self.collector, self.points)))
        self._checks.shutdown(wait=False)
        self.profiles.close()
        self.warehouse.close()
        self.alerts.close()
        self.alert_feed.close()
        self._watch.close()

    def _check_kafka(self) -> str | None:
        return self.collector.check() or self.points.check()

    def _check_profiles(self) -> str | None:
        try:
            self.profiles.check()
        except ProfilesUnavailable as error:
            return str(error)
        return None


def _touched(warehouse: Warehouse) -> tuple[int, set[int]]:
    ((made, hours),) = warehouse.query("queries/touched_hours")
    return made, set(hours)


def _rolled_day(warehouse: Warehouse, metric: str, begin: int, most: int) -> list[Sequence[Any]]:
    return warehouse.query("queries/rolled_day", {"metric": metric, "begin": begin, "most": most})
