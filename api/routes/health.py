"""`/readyz`: which link is broken. (`/healthz` is answered by the event loop itself, so that no queue delays it.)"""

import msgspec
from flask import Blueprint, Response

from api.services import Services


def blueprint(services: Services) -> Blueprint:
    """The route over these services."""
    routes = Blueprint("health", __name__)

    @routes.get("/readyz")
    def ready() -> Response:
        """200 when every link works, else 503; either way each link with what is wrong, null when nothing is."""
        links = services.readiness()
        broken = [name for name, reason in links.items() if reason is not None]
        document = {"ready": not broken, "broken": broken, "links": links}
        return Response(msgspec.json.encode(document), 503 if broken else 200, mimetype="application/json")

    return routes
