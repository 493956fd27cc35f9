"""Every metric of the API, declared once. With several workers they are summed over the processes."""

import os
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from api import signals

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)
_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it without types
REGISTRY: Final = CollectorRegistry()

REQUESTS: Final = Counter("tidewatch_api_requests", "Requests answered", ["route", "status"], registry=REGISTRY)
LATENCY: Final = Histogram(
    "tidewatch_api_request_seconds", "Time to the answer", ["route"], buckets=_SECONDS, registry=REGISTRY
)
ACCEPTED: Final = Counter("tidewatch_api_events_accepted", "Events that the broker acknowledged", registry=REGISTRY)
REJECTED: Final = Counter("tidewatch_api_events_rejected", "Events refused as invalid", ["field"], registry=REGISTRY)
BATCH_ROWS: Final = Histogram("tidewatch_api_batch_rows", "Events a Kafka record", buckets=_ROWS, registry=REGISTRY)
DELIVERY: Final = Histogram(
    "tidewatch_api_delivery_seconds",
    "From sending a record to its acknowledgement",
    buckets=_SECONDS,
    registry=REGISTRY,
)
DELIVERY_FAILURES: Final = Counter(
    "tidewatch_api_delivery_failures", "Records that were not acknowledged", ["error"], registry=REGISTRY
)
BUFFERED_BYTES: Final = Gauge(
    "tidewatch_api_buffered_bytes",
    "Bytes of events that wait for the broker",
    ["topic"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
OPEN_BREAKERS: Final = Gauge(
    "tidewatch_api_open_breakers",
    "Partitions for which new events are refused",
    ["topic"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
DISK_USED: Final = Gauge(
    "tidewatch_api_disk_used_ratio",
    "Share of the disk budget that is used",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
DISK_FULL: Final = Gauge(
    "tidewatch_api_disk_full",
    "1 while new events are refused because the disk is nearly full",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
STATSD_DROPPED: Final = Counter(
    "tidewatch_api_statsd_dropped",
    "Points by StatsD, or datagrams not looked at, that were too much",
    registry=REGISTRY,
)
PRODUCERS_REPLACED: Final = Counter(
    "tidewatch_api_producers_replaced", "Producers made anew after a fatal error", registry=REGISTRY
)


@cache
def _series(route: str, status: int) -> tuple[Counter, Histogram]:
    """Looked up once: finding a series by its labels costs as much as all the rest of counting."""
    return REQUESTS.labels(route, status), LATENCY.labels(route)


def answered(route: str, status: int, seconds: float) -> None:
    """Counts an answer. `route` must be one of few: each makes series that stay."""
    count, latency = _series(route, status)
    count.inc()
    latency.observe(seconds)


def forget_dead_workers() -> None:
    """Drops what killed workers said about themselves; what they counted stays."""
    folder = os.environ.get(signals.SHARED_METRICS)
    for file in Path(folder).glob("gauge_live*.db") if folder else ():
        pid = file.stem.rpartition("_")[2]
        if not Path("/proc", pid).exists():
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as above


def exposition() -> bytes:
    """All metrics in Prometheus' text format; those of all workers when there are several."""
    if signals.SHARED_METRICS in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it ships without types here
        return generate_latest(registry)
    return generate_latest(REGISTRY)
