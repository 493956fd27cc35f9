"""`/q/`: each statement in `sql/queries/` is an endpoint of its own, its parameters those of the URL."""

import msgspec
from flask import Blueprint, Response, request

import sql
from api.parameters import parse_query
from api.problems import Problem, invalid
from api.services import Services
from api.tables import PARAMETER, answer


def blueprint(services: Services) -> Blueprint:
    routes = Blueprint("named_queries", __name__)

    @routes.get("/q/")
    def queries() -> Response:
        """All of them: name, what the statement's own heading says, parameters with their types."""
        found = [
            {"name": name, "about": _heading(statement), "parameters": _parameters(statement)}
            for name, statement in _statements().items()
        ]
        return Response(msgspec.json.encode({"queries": found}), mimetype="application/json")

    @routes.get("/q/<name>.<any(json, csv, arrow):shape>")
    def query(name: str, shape: str) -> Response:
        """An array is what its parameter was given, once, more often or never; of pairs, each as `label:value`."""
        statement = _statements().get(name)
        if statement is None:
            raise Problem(404, "unknown-query", f"there is no query {name[:100]!r}; /q/ lists them")
        known = _parameters(statement)
        arrays = [parameter for parameter, kind in known.items() if kind.startswith("Array")]
        given = parse_query(request.query_string, list(known), repeatable=arrays)
        bound = {parameter: _value(parameter, kind, given.get(parameter, [])) for parameter, kind in known.items()}
        return answer(lambda output: services.warehouse.raw(statement, output, bound), shape)

    return routes


def _value(parameter: str, kind: str, given: list[str]) -> str | list[str] | list[tuple[str, str]] | None:
    if kind.startswith("Array(Tuple"):
        if any(":" not in text for text in given):
            raise invalid(parameter, "must be label:value")
        return [(label, value) for label, _, value in (text.partition(":") for text in given)]
    if kind.startswith("Array"):
        return given
    if not given and not kind.startswith("Nullable"):
        raise invalid(parameter, f"is required, as {kind}")
    return given[0] if given else None


def _statements() -> dict[str, str]:
    return {name.partition("/")[2]: sql.read(name) for name in sql.names("queries")}


def _heading(statement: str) -> str:
    """The comment that a statement begins with."""
    lines = statement.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return " ".join(line.removeprefix("--").strip() for line in lines[:end])


def _parameters(statement: str) -> dict[str, str]:
    return dict(PARAMETER.findall(statement))
