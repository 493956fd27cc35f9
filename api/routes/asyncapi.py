"""`/asyncapi.json`: what is published, as `api/asyncapi.yaml` and the contracts describe it."""

from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from flask import Blueprint, Response

from api.services import Services
from contracts import alerts

DESCRIPTION: Final = Path(__file__).parents[1] / "asyncapi.yaml"


def blueprint(services: Services) -> Blueprint:
    """The route; topics are called what the settings say."""
    routes = Blueprint("asyncapi", __name__)
    answer = msgspec.json.encode(document(services.settings.topics.alerts.name))

    @routes.get("/asyncapi.json")
    def asyncapi() -> Response:
        return Response(answer, mimetype="application/json")

    return routes


def document(topic: str) -> dict[str, Any]:
    """The AsyncAPI 3 document."""
    described: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    described["channels"]["alerts"]["address"] = topic
    described["components"]["schemas"]["Alert"] = alert_schema()
    return described


def alert_schema() -> dict[str, Any]:
    """JSON Schema of an alert, by itself."""
    schema = alerts.json_schema()
    definition: dict[str, Any] = schema["$defs"]["Alert"]
    return definition
