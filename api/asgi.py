"""The little of ASGI that the asyncio handlers need."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple

from api.problems import Problem

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Response(NamedTuple):
    """What a handler answers with; `headers` without content-length, which is added."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler = Callable[[Scope, Receive], Awaitable[Response]]

JSON: Final = ((b"content-type", b"application/json"),)
NO_CONTENT: Final = Response(204)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


def header(scope: Scope, name: bytes) -> bytes:
    """The first value of a header (lower-case name), empty when there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def problem_response(problem: Problem) -> Response:
    """A problem as the answer to a request."""
    headers = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in problem.headers.items())
    return Response(problem.status, problem.json(), ((b"content-type", Problem.CONTENT_TYPE.encode()), *headers))


async def send_response(send: Send, response: Response, *, head: bool = False) -> None:
    """Sends the response; as the answer to HEAD without its body."""
    headers = list(response.headers)
    if response.status != 204:
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body; Problem 413 beyond `limit` bytes, ClientGone when it never comes to its end."""
    message = await receive()
    if not message.get("more_body", False) and len(message.get("body", b"")) <= limit and _is_body(message):
        return bytes(message.get("body", b""))
    chunks, size = [], 0
    while True:
        _is_body(message)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise Problem(413, "body-too-large", f"the body is larger than {limit} bytes")
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()


async def skip_body(receive: Receive) -> None:
    """Reads the body to its end and forgets it."""
    while True:
        message = await receive()
        _is_body(message)
        if not message.get("more_body", False):
            return


def _is_body(message: Message) -> bool:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return True
