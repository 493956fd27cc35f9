"""Inhibitions: while the cause fires, what follows from it is not told."""

from alerts.case import Case, Look
from alerts.config import Inhibition
from contracts.matchers import all_hold


def mute(cases: list[Case], look: Look) -> None:
    """Marks those that another alert inhibits.

    One that is cause and consequence at once inhibits others, not itself, and is not inhibited by its like. A silenced
    cause inhibits all the same.
    """
    for inhibition in look.config.inhibitions:
        causes = [case for case in cases if case.incident.firing and all_hold(inhibition.source, case.labels)]
        for case in cases:
            if case.muted is None and case not in causes and all_hold(inhibition.target, case.labels):
                cause = next((cause for cause in causes if _equal(inhibition, cause, case)), None)
                if cause is not None:
                    case.muted = f"inhibited by {cause.alert.rule} ({cause.incident.id})"


def _equal(inhibition: Inhibition, one: Case, other: Case) -> bool:
    return all(one.labels.get(name, "") == other.labels.get(name, "") for name in inhibition.equal)
