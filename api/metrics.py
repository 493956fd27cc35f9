"""Every metric of the API, declared once. With several workers they are summed over the processes."""

import os
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

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)
_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client types it not; when a series began says nothing here, and doubles the lines
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
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
OPEN_BREAKERS: Final = Gauge(
    "tidewatch_api_open_breakers",
    "Partitions for which new events are refused",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
PRODUCERS_REPLACED: Final = Counter(
    "tidewatch_api_producers_replaced", "Producers made anew after a fatal error", registry=REGISTRY
)


def exposition() -> bytes:
    """All metrics in Prometheus' text format; those of all workers when there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it ships without types here
        return generate_latest(registry)
    return generate_latest(REGISTRY)
