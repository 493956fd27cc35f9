"""Which metrics there are, which labels, which values of a label."""

from datetime import date

import msgspec
from flask import Blueprint, Response, request

from api.parameters import one, parse_query
from api.points_query import ask
from api.services import Services
from contracts.series import USER_TAG_METRICS


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("discovery", __name__)

    @routes.get("/api/v1/metrics")
    def metrics() -> Response:
        """Those of points, and those counted of the user tags, which have no day."""
        parse_query(request.query_string, [])
        found: list[dict[str, object]] = [
            {"metric": metric, "kinds": kinds, "series": series, "last_day": _text(day)}
            for metric, kinds, series, day in ask(services, "metrics", {})
        ]
        found += [{"metric": metric, "kinds": ["counter"], "series": None} for metric in USER_TAG_METRICS]
        return Response(msgspec.json.encode({"metrics": found}), mimetype="application/json")

    @routes.get("/api/v1/labels")
    def labels() -> Response:
        """`metric`: of this one only."""
        given = parse_query(request.query_string, ["metric"])
        rows = ask(services, "labels", {"metric": one(given, "metric")})
        found = [{"label": label, "values": count} for label, count in rows]
        return Response(msgspec.json.encode({"labels": found}), mimetype="application/json")

    @routes.get("/api/v1/label/<path:name>/values")
    def values(name: str) -> Response:
        """`metric`: of this one only."""
        given = parse_query(request.query_string, ["metric"])
        rows = ask(services, "label_values", {"label": name, "metric": one(given, "metric")})
        return Response(msgspec.json.encode({"values": [value for (value,) in rows]}), mimetype="application/json")

    return routes


def _text(day: date) -> str:
    return day.isoformat()
