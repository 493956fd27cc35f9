"""`/openapi.json`: every route of the platform, as `api/openapi.yaml` describes them."""

from pathlib import Path
from typing import Final

import msgspec
import yaml
from flask import Blueprint, Response

from api.services import Services

DESCRIPTION: Final = Path(__file__).parents[1] / "openapi.yaml"


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("openapi", __name__)
    document = msgspec.json.encode(yaml.safe_load(DESCRIPTION.read_text()))

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    return routes
