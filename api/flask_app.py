"""The Flask app: everything but the hot routes. A new resource is one file in `api/routes/`, found by scanning it."""

import importlib
import pkgutil
from typing import Final

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api import routes
from api.problems import Problem, unavailable
from api.services import Services
from stores.alerts import AlertsUnavailable

log: Final = structlog.get_logger()


def create_app(services: Services) -> Flask:
    """The app over these services; every error it answers with is a problem document."""
    app = Flask("tidewatch")
    for module in pkgutil.iter_modules(routes.__path__):
        app.register_blueprint(importlib.import_module(f"{routes.__name__}.{module.name}").blueprint(services))
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(AlertsUnavailable, lambda error: _problem(unavailable(str(error))))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    return app


def _problem(problem: Problem) -> Response:
    return Response(problem.json(), problem.status, problem.headers, content_type=Problem.CONTENT_TYPE)


def _http_error(error: HTTPException) -> Response:
    """Flask's own: no such route, a method that is not allowed and the like."""
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Location", "Retry-After")}
    return _problem(Problem(status, "http", error.description or error.name, headers=headers))


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _problem(Problem(500, "internal", "the request failed; the log of the API says why"))
