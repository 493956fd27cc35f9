"""Which routes an alert takes, and with which others it is grouped there."""

import json

from alerts.case import Case, Look
from alerts.config import Route
from contracts.matchers import all_hold
from stores.alert_incidents import Routed

EACH_BY_ITSELF = "..."


def assign(cases: list[Case], look: Look) -> None:
    """Notes the routes of new incidents. They keep them as long as the file of routes has them."""
    known = {route.name for route in look.config.routes}
    for case in cases:
        if not known & set(case.routed):
            for route in routes(look.config.routes, case.labels):
                key = json.dumps([route.name, group(route, case)])
                case.routed[route.name] = Routed(case.incident.id, route.name, key)


def routes(all_routes: list[Route], labels: dict[str, str]) -> list[Route]:
    """The first that matches, and those after it as long as each says `continue`."""
    taken = []
    for route in all_routes:
        if all_hold(route.match, labels):
            taken.append(route)
            if not route.goes_on:
                break
    return taken


def group(route: Route, case: Case) -> dict[str, str]:
    """The labels that a group has in common."""
    if EACH_BY_ITSELF in route.group_by:
        return {**dict(sorted(case.alert.labels.items())), "rule": case.alert.rule}
    return {name: case.labels.get(name, "") for name in route.group_by}
