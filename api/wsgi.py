"""Runs the Flask app behind the event loop: in threads of its own, with a bounded queue before them."""

from a2wsgi import WSGIMiddleware
from flask import Flask

from api.asgi import Message, Receive, Scope, Send, read_body
from api.problems import invalid, unavailable


class BoundedWsgi:
    """At most `threads` calls run and `queue` wait; the next is refused at once, so a burst cannot pile up."""

    def __init__(self, app: Flask, threads: int, queue: int, max_body_bytes: int) -> None:
        self._bridge = WSGIMiddleware(app, workers=threads)  # type: ignore[arg-type]  # its Environ is a TypedDict
        self._most = threads + queue
        self._max_body_bytes = max_body_bytes
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the body in the loop before a thread is taken, so that a slow sender holds none."""
        if self._running >= self._most:
            raise unavailable("too many queries wait already: ask again later")
        self._running += 1
        try:
            body = await read_body(receive, self._max_body_bytes)
            if not scope["query_string"].isascii():
                raise invalid("", "the query string is not percent-encoded")
            await self._bridge(scope, _once(body), send)  # type: ignore[arg-type]  # its scope is a TypedDict, ours open
        finally:
            self._running -= 1


def _once(body: bytes) -> Receive:
    """A `receive` that gives the body, whole."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
