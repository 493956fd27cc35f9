"""`POST /api/v1/sql`: any query that ClickHouse's read-only user may ask; its rights and limits are the server's."""

from typing import Any, Final

import msgspec
from flask import Blueprint, Response, request

from api.parameters import one, parse_query
from api.problems import invalid
from api.services import Services
from api.tables import FORMATS, PARAMETER, answer

_LONGEST: Final = 100_000  # characters


class Query(msgspec.Struct):
    """A query with values for its `{name:Type}`."""

    query: str
    parameters: dict[str, Any] = {}


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("sql", __name__)

    @routes.post("/api/v1/sql")
    def sql() -> Response:
        """The body: the query itself, or JSON with `query` and `parameters` as `application/json`."""
        name = one(parse_query(request.query_string, ["format"]), "format") or "json"
        if name not in FORMATS:
            raise invalid("format", f"must be one of {', '.join(FORMATS)}")
        asked = _query(request.get_data(), request.mimetype)
        statement = asked.query.strip().rstrip(";")
        if not 0 < len(statement) <= _LONGEST:
            raise invalid("query", f"must have 1 to {_LONGEST} characters")
        if asked.parameters and not PARAMETER.search(statement):
            raise invalid("parameters", "are given, but the query has no {name:Type}")
        return answer(lambda output: services.warehouse.raw(statement, output, asked.parameters or None), name)

    return routes


def _query(body: bytes, mimetype: str) -> Query:
    try:
        if mimetype == "application/json":
            return msgspec.json.decode(body, type=Query)
        return Query(body.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("query", f"must be SQL in UTF-8, or JSON with query and parameters: {error}") from None
