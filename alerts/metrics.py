"""Every metric of the alert service, declared once."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from stores.alert_outbox import State

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client leaves it without types
REGISTRY: Final = CollectorRegistry()

MESSAGES: Final = Counter("tidewatch_alerts_messages", "Messages read of the topic", ["outcome"], registry=REGISTRY)
ATTEMPTS: Final = Counter(
    "tidewatch_alerts_attempts", "Attempts to tell a receiver", ["receiver", "outcome"], registry=REGISTRY
)
SEND_SECONDS: Final = Histogram(
    "tidewatch_alerts_send_seconds", "Time of an attempt", ["receiver"], buckets=_SECONDS, registry=REGISTRY
)
LETTERS: Final = Gauge("tidewatch_alerts_letters", "Letters in the outbox", ["receiver", "state"], registry=REGISTRY)
FIRING: Final = Gauge("tidewatch_alerts_firing", "Incidents that fire", ["severity", "acknowledged"], registry=REGISTRY)
LEADS: Final = Gauge("tidewatch_alerts_leads", "1 while this instance holds the lease", registry=REGISTRY)
CANARY_SECONDS: Final = Gauge(
    "tidewatch_alerts_canary_age_seconds", "Since the newest one here was sent", registry=REGISTRY
)
CONFIG_OK: Final = Gauge("tidewatch_alerts_config_ok", "0 while the file of routes is not usable", registry=REGISTRY)


def show(firing: Mapping[tuple[str, bool], int], letters: Mapping[tuple[str, State], int]) -> None:
    """Sets the figures that are counted in the store; what is not in there is 0 now."""
    FIRING.clear()
    LETTERS.clear()
    for (severity, acknowledged), count in firing.items():
        FIRING.labels(severity, str(acknowledged).lower()).set(count)
    for (receiver, state), count in letters.items():
        LETTERS.labels(receiver, state).set(count)
