"""An incident with all that the stages know of it, and when they want to look again."""

from dataclasses import dataclass, field

from alerts.config import Config
from contracts.alerts import SEVERITIES, Alert, matchable
from stores.alert_incidents import Acknowledgement, Incident, Routed
from stores.alert_silences import Silence


@dataclass(eq=False)  # two are the same when they are one object
class Case:
    """One live incident. Stages write into `incident` and `routed`, which are saved after the last stage."""

    incident: Incident
    routed: dict[str, Routed] = field(default_factory=dict)  # by route
    acknowledgement: Acknowledgement | None = None
    muted: str | None = None  # why nothing new is told of it now
    held: bool = False  # it stands for a flapping one, which is not over

    def __post_init__(self) -> None:
        self.labels = matchable(self.alert)

    @property
    def alert(self) -> Alert:
        return self.incident.alert

    @property
    def damped(self) -> bool:
        """Another incident stands for it, as it flaps."""
        return self.incident.episode not in (None, self.incident.id)

    @property
    def lasts(self) -> bool:
        """It fires, or is told as if it did."""
        return self.incident.firing or self.held

    @property
    def told(self) -> bool:
        return self.incident.told_at is not None


@dataclass
class Look:
    """One pass over all live incidents: the time, the rules, and the earliest time at which a later pass finds more."""

    now: int
    config: Config
    silences: list[Silence] = field(default_factory=list)
    next: int | None = None

    def again(self, at: int) -> None:
        """There will be something to do then, which lies ahead."""
        if at > self.now and (self.next is None or at < self.next):
            self.next = at


def worse(one: str, other: str | None) -> bool:
    """Whether the severity `one` is worse than `other`."""
    order: list[str] = list(SEVERITIES)
    return other is not None and order.index(one) < order.index(other)
