"""Escalation: one after the other is told until somebody acknowledges. And those who were told hear of it."""

from alerts.case import Case, Look
from alerts.config import Escalation
from alerts.notice import Notice
from alerts.oncall import reached


def climb(cases: list[Case], look: Look) -> list[Notice]:
    """The steps whose time has come, at most one a case: those that fell into a silence do not come all at once."""
    notices = []
    for case in cases:
        escalation = _escalation(case, look)
        if escalation is not None and case.told and case.lasts and not case.damped and case.acknowledgement is None:
            notices += _step(case, escalation, look)
    return notices


def _escalation(case: Case, look: Look) -> Escalation | None:
    """Of the first of its routes that has one."""
    names = [route.escalation for route in look.config.routes if route.name in case.routed and route.escalation]
    return look.config.escalations[names[0]] if names else None


def _step(case: Case, escalation: Escalation, look: Look) -> list[Notice]:
    incident = case.incident
    number = incident.step
    if number >= len(escalation.steps) * escalation.rounds or case.muted:
        return []
    at = (incident.told_at or look.now) if incident.step_at is None else incident.step_at
    at += _gap(escalation, number)
    if at > look.now:
        look.again(at)
        return []
    incident.step, incident.step_at = number + 1, look.now
    names = escalation.steps[number % len(escalation.steps)].notify
    return [Notice(case, "escalated", f"step-{number}", reached(look.config, names, look.now), {})]


def _gap(escalation: Escalation, number: int) -> int:
    """Between the step before (or the first telling) and this one."""
    round_number, index = divmod(number, len(escalation.steps))
    if index == 0:
        return escalation.steps[0].after if round_number == 0 else escalation.pause
    return escalation.steps[index].after - escalation.steps[index - 1].after


def acknowledged(cases: list[Case], told: dict[str, list[str]]) -> list[Notice]:
    """Of those that somebody has taken since: all that were told. `told`: the receivers by incident."""
    notices = []
    for case in cases:
        if case.acknowledgement is not None and case.told and not case.incident.acknowledgement_told:
            case.incident.acknowledgement_told = True
            if case.lasts:
                receivers = told.get(case.incident.id, [])
                notices.append(Notice(case, "acknowledged", "acknowledged", receivers, {}))
    return notices
