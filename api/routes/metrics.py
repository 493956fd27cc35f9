"""`/metrics` in Prometheus' text format."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import metrics
from api.services import Services


def blueprint(services: Services) -> Blueprint:
    """The route; metrics are those of the process, so it asks nothing of the services."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def exposition() -> Response:
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return routes
