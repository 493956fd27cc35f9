"""Which handler a request goes to: the few hot routes by a dictionary, all else to the Flask app."""

from typing import Final, NamedTuple

from api import profiles
from api.asgi import Handler, Scope
from api.problems import Problem


class Route(NamedTuple):
    """An asyncio route: its name in metrics and its handler by method."""

    name: str
    handlers: dict[str, Handler]

    def handler(self, method: str) -> Handler:
        """Problem 405 for a method it does not take. HEAD is GET, whose body the app leaves away."""
        handler = self.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise Problem(405, "http", f"{method} is not taken here", headers={"Allow": self.allow})
        return handler

    @property
    def allow(self) -> str:
        head = ["HEAD"] if "GET" in self.handlers else []
        return ", ".join([*self.handlers, *head, "OPTIONS"])


PROFILES: Final = "/user_profiles/{cookie}"


class Router:
    """Finds the hot route of a path, None for the Flask app's."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._exact = {route.name: route for route in routes if route.name != PROFILES}
        self._profiles = next((route for route in routes if route.name == PROFILES), None)

    def find(self, scope: Scope) -> Route | None:
        path = scope["path"]
        if path.startswith(profiles.PATH):
            return self._profiles
        return self._exact.get(path)
