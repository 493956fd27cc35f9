"""Calls to the platform's own API, from beside it."""

import urllib.request

from contracts.settings import Settings


def address(settings: Settings, path: str) -> str:
    """`path` begins with a slash."""
    return f"http://{settings.host}:{settings.api.port}{path}"


def post(settings: Settings, path: str, body: bytes, timeout: float) -> bytes:
    """The answer's body; HTTPError for a status other than 2xx, OSError when no API answers in `timeout` seconds."""
    request = urllib.request.Request(address(settings, path), body)  # noqa: S310  # our own, by the settings
    if settings.api.token:
        request.add_header("Authorization", f"Bearer {settings.api.token}")
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310  # as above
        taken: bytes = answer.read()
    return taken
