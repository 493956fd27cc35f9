"""What goes wrong in a request, as RFC 9457 problem details. Every error answer of the API is one of these."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

RETRY_AFTER: Final = {"Retry-After": "1"}  # seconds; a broker that restarts is back within a few


class Problem(Exception):
    """An error answer: `kind` names it for programs, `detail` tells people what to do, `field` is what is wrong, and
    `errors` are those of a body's parts."""

    CONTENT_TYPE: Final = "application/problem+json"

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        field: str = "",
        headers: dict[str, str] | None = None,
        errors: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.field = field
        self.headers = headers or {}
        self.errors = errors

    def json(self) -> bytes:
        """The problem document."""
        document: dict[str, object] = {
            "type": f"urn:tidewatch:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            document["field"] = self.field
        if self.errors:
            document["errors"] = self.errors
        return msgspec.json.encode(document)


def invalid(field: str, reason: str, errors: Sequence[Mapping[str, object]] = ()) -> Problem:
    """400: a field of the body or a parameter breaks the contract."""
    return Problem(400, "invalid-request", f"{field}: {reason}" if field else reason, field=field, errors=errors)


def unavailable(detail: str) -> Problem:
    """503 with Retry-After: what the request needs is away or full."""
    return Problem(503, "unavailable", detail, headers=RETRY_AFTER)


def unknown(what: str) -> Problem:
    """404: the address is right, and what it names is not there."""
    return Problem(404, "not-found", what)
