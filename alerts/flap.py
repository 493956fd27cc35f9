"""Flapping: what begins again and again is told once, as flapping, and once when it has been quiet for a while."""

from alerts.case import Case, Look
from alerts.config import Flapping
from alerts.fields import duration_text
from contracts.alerts import Alert
from stores.alert_incidents import Incident


def episode(alert: Alert, earlier: list[Incident], flapping: Flapping) -> str | None:
    """The incident that stands for this new one: one that is flapping already, itself when it is the one too many, or
    None when it does not flap. `earlier`: those of the same fingerprint, the recent and the live ones.

    By event time: it does not depend on when the messages were read.
    """
    for incident in earlier:
        if incident.episode == incident.id and not incident.done:
            return incident.id
    recent = [incident for incident in earlier if incident.alert.starts_at > alert.starts_at - flapping.within]
    return alert.id if len(recent) + 1 >= flapping.incidents else None


def hold(cases: list[Case], look: Look) -> None:
    """Marks those that stand for a flapping one until it has been quiet for long enough."""
    quiet = look.config.flapping.quiet
    for case in cases:
        if case.incident.episode == case.incident.id:
            members = [other.incident for other in cases if other.incident.episode == case.incident.id]
            last = max(member.resolved_at or look.now for member in members)
            case.held = any(member.firing for member in members) or look.now < last + quiet
            look.again(last + quiet)


def note(case: Case, flapping: Flapping) -> list[str]:
    """What a message says of it."""
    if case.incident.episode is None:
        return []
    return [
        f"It flaps: it began {flapping.incidents} times or more within {duration_text(flapping.within)}. "
        f"What follows is not told; its end is, once it has been quiet for {duration_text(flapping.quiet)}."
    ]
