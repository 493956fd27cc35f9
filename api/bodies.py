"""JSON bodies of requests: read into structs, and answers made of what JSON can hold."""

import re
from typing import Any, Final, TypeVar

import msgspec
from flask import Response

from api.problems import invalid
from contracts.times import format_millis

_PLACE: Final = re.compile(r" - at `\$(?:\[\.\.\.\]|\[\d+\])?\.?(.*?)`$")

Body = TypeVar("Body")


def read(kind: type[Body], body: bytes) -> Body:
    """The body as `kind`; Problem 400 names the field that is wrong."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        raise invalid(place[1] if place else "", _PLACE.sub("", str(error))) from None
    except msgspec.DecodeError as error:
        raise invalid("", f"the body is not JSON: {error}") from None


def answer(document: Any, status: int = 200) -> Response:
    """The document as JSON."""
    return Response(msgspec.json.encode(document), status, mimetype="application/json")


def instant(milliseconds: int | None) -> str | None:
    """As RFC 3339 in UTC."""
    return None if milliseconds is None else f"{format_millis(milliseconds)}Z"
