"""`POST|GET /aggregates`: counts and sums of each minute, over all or some of the events."""

from typing import Final

import msgspec
from flask import Blueprint, Response, request

from analysis.aggregates import AGGREGATES, AggregatesQuery, MinuteSums, answer
from api.parameters import Parameters, one, parse_query, time_range
from api.problems import invalid, unavailable
from api.services import Services
from api.warehouse import WarehouseUnavailable
from contracts.tags import ACTIONS, DIMENSIONS
from contracts.times import MINUTE_MS

_KNOWN: Final = ("time_range", "action", "aggregates", *DIMENSIONS)
_LONGEST_LABEL: Final = 256


def blueprint(services: Services) -> Blueprint:
    """The route over these services."""
    routes = Blueprint("aggregates", __name__)

    @routes.route("/aggregates", methods=["GET", "POST"])
    def aggregates() -> Response:
        """The body, a tester's expected answer, is not looked at."""
        query = parse(request.query_string, services.settings.api.max_range_minutes)
        try:
            sums = _sums(services, query)
        except WarehouseUnavailable as error:
            raise unavailable(str(error)) from None
        return Response(msgspec.json.encode(answer(query, sums)._asdict()), mimetype="application/json")

    return routes


def parse(query_string: bytes, max_minutes: int) -> AggregatesQuery:
    """The query in a URL's parameters; Problem 400 names the one that is wrong."""
    given = parse_query(query_string, _KNOWN, repeatable=("aggregates",))
    begin, end = time_range(given, required=True)
    if begin % MINUTE_MS or end % MINUTE_MS:
        raise invalid("time_range", "must begin and end at whole minutes")
    if (end - begin) // MINUTE_MS > max_minutes:
        raise invalid("time_range", f"must span at most {max_minutes} minutes")
    filters: dict[str, str] = {name: given[name][0] for name in DIMENSIONS if name in given}
    for name, value in filters.items():
        if not 0 < len(value) <= _LONGEST_LABEL:
            raise invalid(name, f"must have 1 to {_LONGEST_LABEL} characters")
    return AggregatesQuery(begin, end, _action(given), filters, _aggregates(given))


def _action(given: Parameters) -> str:
    action = one(given, "action")
    if action not in ACTIONS:
        raise invalid("action", f"is required, as one of {', '.join(ACTIONS)}")
    return action


def _aggregates(given: Parameters) -> list[str]:
    names = list(given.get("aggregates", ()))
    if not names:
        raise invalid("aggregates", f"is required, once or more: {', '.join(AGGREGATES)}")
    for name in names:
        if name not in AGGREGATES:
            raise invalid("aggregates", f"must be one of {', '.join(AGGREGATES)}: {name[:40]!r}")
    if len(set(names)) < len(names):
        raise invalid("aggregates", "names the same aggregate twice")
    return names


def _sums(services: Services, query: AggregatesQuery) -> dict[int, MinuteSums]:
    parameters = {
        "begin": query.begin // 1000,
        "end": query.end // 1000,
        "action": query.action,
        **{name: query.filters.get(name) for name in DIMENSIONS},
    }
    rows = services.warehouse.query("queries/aggregates", parameters)
    return {int(minute) * 1000: MinuteSums(int(count), int(price)) for minute, count, price in rows}
