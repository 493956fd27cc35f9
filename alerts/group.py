"""Groups: what is new in one is told together, not at once and not too often."""

import json
from collections import defaultdict
from typing import NamedTuple

from alerts.case import Case, Look, worse
from alerts.config import Route
from alerts.message import Event
from alerts.notice import Notice
from stores.alert_incidents import Routed


class News(NamedTuple):
    """Something of a case that a route's receivers were not told yet; `since` is when it came about."""

    case: Case
    routed: Routed
    event: Event
    since: int


def flush(cases: list[Case], look: Look) -> list[Notice]:
    """The notices of all groups whose time has come."""
    by_name = {route.name: route for route in look.config.routes}
    members: dict[str, list[tuple[Case, Routed]]] = defaultdict(list)
    for case in cases:
        for routed in case.routed.values():
            if routed.route in by_name:
                members[routed.group_key].append((case, routed))
    notices = []
    for group in members.values():
        notices += _group(by_name[group[0][1].route], group, look)
    return notices


def _group(route: Route, members: list[tuple[Case, Routed]], look: Look) -> list[Notice]:
    news = [one for case, routed in members for one in _news(route, case, routed, look)]
    if not news:
        return []
    at = _flush_at(route, [routed for _, routed in members], news)
    if at > look.now:
        look.again(at)
        return []
    labels = json.loads(members[0][1].group_key)[1]
    return [_tell(route, one, labels, look.now) for one in news]


def _flush_at(route: Route, members: list[Routed], news: list[News]) -> int:
    """A group that was told before keeps its interval; a new one waits for others."""
    told = [at for routed in members for at in (routed.told_at, routed.reminded_at, routed.ended_at) if at is not None]
    return max(told) + route.group_interval if told else min(one.since for one in news) + route.group_wait


def _news(route: Route, case: Case, routed: Routed, look: Look) -> list[News]:
    incident = case.incident
    if routed.ended_at is not None or case.damped:
        return []
    if routed.told_at is None:
        if case.muted or too_brief(route, case):
            return []
        begun = [News(case, routed, "firing", incident.opened_at)]
        return begun if case.lasts else [*begun, News(case, routed, "resolved", incident.changed_at)]
    if not case.lasts:  # whoever was told of it is told that it is over, silenced or not
        return [News(case, routed, "resolved", incident.changed_at)]
    if case.muted:
        return []
    if worse(case.alert.severity, routed.told_severity):
        return [News(case, routed, "worse", incident.changed_at)]
    return _reminder(route, case, routed, look)


def _reminder(route: Route, case: Case, routed: Routed, look: Look) -> list[News]:
    if case.acknowledgement is not None:
        return []
    at = (routed.reminded_at or routed.told_at or 0) + route.repeat_interval
    if at > look.now:
        look.again(at)
        return []
    return [News(case, routed, "reminder", at)]


def too_brief(route: Route, case: Case) -> bool:
    """It was over, by event time, before its group would have been told: that does not depend on when it was read.

    One that stands for a flapping one never is.
    """
    alert = case.alert
    if case.lasts or case.incident.episode is not None:
        return False
    return (alert.ends_at or alert.starts_at) - alert.starts_at < route.group_wait


def _tell(route: Route, one: News, labels: dict[str, str], now: int) -> Notice:
    """The notice; what was told is noted."""
    case, routed, event, _ = one
    suffix: str = event
    if event == "firing":
        routed.told_at, routed.told_severity = now, case.alert.severity
        case.incident.told_at = case.incident.told_at or now
    elif event == "worse":
        routed.told_severity, suffix = case.alert.severity, f"worse-{case.alert.severity}"
        routed.reminded_at = now
    elif event == "reminder":
        routed.reminded_at, routed.reminders = now, routed.reminders + 1
        suffix = f"reminder-{routed.reminders}"
    else:
        routed.ended_at = now
    return Notice(case, event, suffix, route.receivers, labels)
