"""Silences: nothing new is told of what fulfils all matchers of one."""

from alerts.case import Case, Look
from contracts.matchers import all_hold


def mute(cases: list[Case], look: Look) -> None:
    """Marks those that are silenced now."""
    for silence in look.silences:
        look.again(silence.starts_at)
        look.again(silence.ends_at)
        if silence.starts_at <= look.now < silence.ends_at:
            for case in cases:
                if case.muted is None and all_hold(silence.matchers, case.labels):
                    case.muted = f"silenced by {silence.created_by} ({silence.id})"
