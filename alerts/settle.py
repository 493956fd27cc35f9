"""The end: of whom there is nothing more to tell, and why some were never told."""

from alerts.case import Case, Look
from alerts.group import too_brief
from alerts.notice import Notice


def close(cases: list[Case], look: Look, told: dict[str, list[str]]) -> list[Notice]:
    """Closes what is over and told, or will never be told.

    All who were told of it hear that it is over, those of former routes and of the escalation too. `told`: the
    receivers by incident.
    """
    standing = {case.incident.id for case in cases if case.lasts}
    notices = []
    for case in cases:
        if case.lasts or case.incident.episode in standing or _waits(case, look):
            continue
        case.incident.done = True
        if case.told:
            notices.append(Notice(case, "resolved", "resolved", told.get(case.incident.id, []), {}))
    return notices


def reason(case: Case, look: Look) -> str:
    """Why a closed case was never told."""
    if case.damped:
        return f"it flaps: {case.incident.episode} stands for it"
    if case.muted:
        return case.muted
    routes = [route.name for route in look.config.routes if route.name in case.routed and too_brief(route, case)]
    return f"it was over before the group_wait of {', '.join(routes)}"


def _waits(case: Case, look: Look) -> bool:
    """Whether a route's receivers are still to be told, of its beginning or of its end."""
    for route in look.config.routes:
        routed = case.routed.get(route.name)
        if routed is None or routed.ended_at is not None or case.damped:
            continue
        if routed.told_at is not None or not (case.muted or too_brief(route, case)):
            return True
    return False
