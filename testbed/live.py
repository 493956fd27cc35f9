"""A run while it goes on, in one line."""

from collections import deque
from typing import Final

from testbed.driver import Driver
from testbed.report import Tally, quantile

WINDOW: Final = 10.0  # seconds that rates and percentiles look back


class LiveLine:
    """Call `text` about twice a second with the monotonic clock."""

    def __init__(self, driver: Driver, now: float) -> None:
        self._driver = driver
        report = driver.report
        self._gauges = [
            Gauge("tags", report.tags, now),
            Gauge("profiles", report.profiles, now),
            Gauge("aggregates", report.aggregates, now),
        ]

    def text(self, now: float) -> str:
        """Rates, p99, freshness and score."""
        report = self._driver.report
        fresh = sorted(list(report.freshness)[-20:])
        parts = [f"{report.seconds:4.0f} s", *(gauge.text(now) for gauge in self._gauges)]
        parts.append(f"fresh {quantile(fresh, 0.5):.1f} s" if fresh else "fresh –")
        answers = report.profiles.decided + report.aggregates.decided + report.sweep.decided
        parts.append(f"score {report.score():.2f}/200 ({answers} answers)")
        bad = [
            f"{kind} {tally.wrong} wrong {tally.failed.total()} failed"
            for kind, tally in report.tallies.items()
            if tally.wrong or tally.failed
        ]
        return " · ".join(parts + bad)


class Gauge:
    """Rate and p99 of one kind of calls over the last seconds."""

    def __init__(self, name: str, tally: Tally, now: float) -> None:
        self._name = name
        self._tally = tally
        self._marks = deque([(now, len(tally.latencies))])  # by time: how many calls had ended

    def text(self, now: float) -> str:
        latencies = self._tally.latencies
        self._marks.append((now, len(latencies)))
        while len(self._marks) > 1 and self._marks[1][0] <= now - WINDOW:
            self._marks.popleft()
        begin, before = self._marks[0]
        rate = (len(latencies) - before) / (now - begin) if now > begin else 0.0
        p99 = quantile(sorted(latencies[before:]), 0.99)
        return f"{self._name} {rate:.0f}/s p99 {p99 * 1000:.0f} ms"
