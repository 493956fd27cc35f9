"""Calls to the API's app within the test's process, as a server would make them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from api.app import App
from api.asgi import Message, Scope
from api.services import Services
from contracts.settings import Settings

T = TypeVar("T")


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Sends requests to an app."""

    def __init__(self, app: App, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request with its answer; `target` is the path with the query string."""
        path, _, query = target.partition("?")
        sent: list[Message] = []
        # In two parts, as long bodies come.
        parts = [body[: len(body) // 2], body[len(body) // 2 :]]

        async def receive() -> Message:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(_scope(method, path, query, headers or {}, len(body)), receive, send)
        start = sent[0]
        given = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], given, b"".join(message.get("body", b"") for message in sent[1:]))


def _scope(method: str, path: str, query: str, headers: dict[str, str], length: int) -> Scope:
    both = {"host": "test", "content-length": str(length), **headers}
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in both.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def with_app(settings: Settings, calls: Callable[[Caller], Awaitable[T]]) -> T:
    """Runs the calls against an app over these settings, in an event loop of its own."""

    async def run() -> T:
        app = App(settings)
        services = Services.open(settings, asyncio.get_running_loop())
        app.start(services)
        try:
            return await calls(Caller(app, services))
        finally:
            await app.stop()

    return asyncio.run(run())
