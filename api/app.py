"""The ASGI app of a worker: routes, errors, metrics, start and end."""

import asyncio
import re
from time import perf_counter
from typing import Final

import structlog

from api import alert_stream, metrics, signals
from api.alert_stream import AlertStream
from api.asgi import (
    JSON,
    ClientGone,
    Message,
    Receive,
    Response,
    Scope,
    Send,
    problem_response,
    send_response,
    skip_body,
)
from api.auth import Authenticator
from api.collect.bulk import BulkHandler, BulkSender, summary
from api.collect.bulk_parse import prepare_tags
from api.collect.points import PointTaker
from api.collect.statsd import StatsDServer
from api.collect.tags import TagHandler
from api.flask_app import create_app
from api.problems import Problem
from api.profiles import ProfileHandler
from api.router import PROFILES, Route, Router
from api.services import Services, wall_clock
from api.streams import OpenFeed, send_feed
from api.wsgi import BoundedWsgi
from contracts.settings import Settings

log: Final = structlog.get_logger()


class App:
    """Made without touching anything outside; the lifespan's startup opens the links."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._auth = Authenticator(settings)
        self._services: Services | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        if scope["path"] in self._streams and scope["method"] == "GET":
            await self._stream(scope, receive, send)
            return
        route = self._router.find(scope)
        if route is None:
            name, status = await self._flask(scope, receive, send)
        else:
            response = await self._respond(route, scope, receive)
            await send_response(send, response, head=scope["method"] == "HEAD")
            name, status = route.name, response.status
        metrics.answered(name, status, perf_counter() - started)

    async def _respond(self, route: Route, scope: Scope, receive: Receive) -> Response:
        """The handler's answer, or the problem it raised."""
        try:
            self._auth.check(scope)
            if scope["method"] == "OPTIONS":
                return Response(204, headers=((b"allow", route.allow.encode()),))
            return await route.handler(scope["method"])(scope, receive)
        except Problem as problem:
            return problem_response(problem)
        except ClientGone:
            return Response(400)
        except Exception as error:
            log.error("request failed", route=route.name, exc_info=error)
            return problem_response(Problem(500, "internal", "the request failed; the log of the API says why"))

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counted when it ends; how long it took says nothing."""
        try:
            self._auth.check(scope)
            feed = await self._streams[scope["path"]](scope)
        except Problem as problem:
            await send_response(send, problem_response(problem))
            metrics.REQUESTS.labels(scope["path"], problem.status).inc()
            return
        await send_feed(feed, receive, send)
        metrics.REQUESTS.labels(scope["path"], 200).inc()

    async def _flask(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        """The Flask app's answer goes out as it comes; only its status is looked at."""
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            self._auth.check(scope)
            await self._wsgi(scope, receive, watch)
        except Problem as problem:
            status = problem.status
            await send_response(send, problem_response(problem), head=scope["method"] == "HEAD")
        except ClientGone:
            pass
        return scope["path"] if scope["path"] in self._flask_paths else "other", status

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        loop = asyncio.get_running_loop()
        services = Services.open(self._settings, loop)
        self.start(services)
        await self._statsd.start()
        loop.add_signal_handler(signals.DRAIN, self._drain)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def start(self, services: Services) -> None:
        """Builds the routes over the services."""
        api = self._settings.api
        self._services = services
        self._flask_app = flask_app = create_app(services)
        self._flask_paths = {rule.rule for rule in flask_app.url_map.iter_rules() if not rule.arguments}
        self._wsgi = BoundedWsgi(flask_app, api.threads, api.queue, api.max_body_bytes)
        profile = ProfileHandler(services.profiles)
        tags = BulkSender(services.collector, self._settings, wall_clock)
        points = PointTaker(services.points, self._settings, wall_clock)
        self._statsd = StatsDServer(self._settings, points.take, wall_clock)
        self._router = Router(
            [
                Route("/user_tags", {"POST": TagHandler(services.collector, wall_clock)}),
                Route("/v1/user-tags", {"POST": BulkHandler(tags, prepare_tags, summary)}),
                Route(PROFILES, {"GET": profile, "POST": profile}),
                *(Route(path, handlers) for path, handlers in points.routes().items()),
                Route("/healthz", {"GET": _healthy}),
            ]
        )
        self._alerts = AlertStream(self._settings)
        self._streams: dict[str, OpenFeed] = {alert_stream.PATH: self._alerts}
        log.info("api started", partitions=services.collector.partitions)

    def served(self) -> set[tuple[str, str]]:
        """Method and path of every route, parameters as `{}`, but for what HTTP adds by itself."""
        hot = {
            (method, re.sub(r"\{.*?\}", "{}", route.name)) for route in self._router.routes for method in route.handlers
        }
        rules = [rule for rule in self._flask_app.url_map.iter_rules() if rule.endpoint != "static"]
        cold = {(method, re.sub("<.*?>", "{}", rule.rule)) for rule in rules for method in rule.methods or ()}
        streams = {("GET", path) for path in self._streams}
        return hot | streams | {(method, path) for method, path in cold if method not in ("HEAD", "OPTIONS")}

    def _drain(self) -> None:
        """Called when the process was told to end, while requests are still in flight."""
        self._alerts.end()
        if self._services is not None:
            self._services.drain()

    async def stop(self) -> None:
        """After the last request."""
        if self._services is not None:
            await self._statsd.close()
            self._alerts.close()
            await self._services.close()
        log.info("api stopped")


async def _healthy(scope: Scope, receive: Receive) -> Response:
    """The event loop turns: that is all it says."""
    await skip_body(receive)
    return Response(200, b'{"healthy":true}', JSON)
