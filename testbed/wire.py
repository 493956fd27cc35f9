"""A lean HTTP/1.1 client: keep-alive connections on asyncio.Protocol and httptools.

The driver shares the machine's cores with what it measures, so a call must cost little: about 100 us of CPU for a
tag, making it and noting it in the oracle included, where a call through aiohttp alone costs some 250 us. One request
at a time on a connection, no redirects, no proxies, no TLS.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import httptools

FAILED: Final = 0  # the status of a call without an answer: refused, cut off, or given up


class Response(NamedTuple):
    """An answer: HTTP status, or FAILED with the reason as its body."""

    status: int
    body: bytes


Done = Callable[[Response], None]


class _Call(NamedTuple):
    request: bytes
    deadline: float  # of the loop's clock
    done: Done


class Pool:
    """At most `limit` connections to one server. Calls beyond them wait in line, in order."""

    def __init__(self, host: str, port: int, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self.host = host
        self.port = port
        self.limit = limit
        self._loop = loop
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._waiting: deque[_Call] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        """Whether a call would go out without waiting for another one's answer."""
        return bool(self._idle) or len(self._open) + len(self._connecting) + len(self._waiting) < self.limit

    def call(self, request: bytes, timeout: float, done: Done) -> None:
        """Sends a request; `done` is called once, from the loop, at the latest soon after `timeout`."""
        call = _Call(request, self._loop.time() + timeout, done)
        if self._idle:
            self._idle.pop().start(call)
            return
        self._waiting.append(call)
        self._connect()

    async def get(self, request: bytes, timeout: float) -> Response:
        """The same as a coroutine."""
        answer: asyncio.Future[Response] = self._loop.create_future()
        self.call(request, timeout, lambda response: None if answer.done() else answer.set_result(response))
        return await answer

    def give_up(self, now: float) -> None:
        """Ends the calls whose time is over; to be called often with the loop's clock."""
        for connection in [one for one in self._open if one.call and one.call.deadline < now]:
            connection.abort("given up: no answer in time")
        late = [call for call in self._waiting if call.deadline < now]
        if late:
            self._waiting = deque(call for call in self._waiting if call.deadline >= now)
        for call in late:
            call.done(Response(FAILED, b"given up: no free connection in time"))

    def close(self) -> None:
        """Closes every connection; calls under way fail."""
        while self._waiting:
            self._waiting.popleft().done(Response(FAILED, b"the driver was stopped"))
        for task in self._connecting:
            task.cancel()
        for connection in list(self._open):
            connection.abort("the driver was stopped")

    def _connect(self) -> None:
        """As many connections are on their way as calls wait, up to the limit."""
        if len(self._open) + len(self._connecting) < self.limit and len(self._connecting) < len(self._waiting):
            task = self._loop.create_task(self._open_one())
            self._connecting.add(task)
            task.add_done_callback(self._tried)

    def _tried(self, task: "asyncio.Task[None]") -> None:
        self._connecting.discard(task)
        self._connect()  # for a call that came since

    async def _open_one(self) -> None:
        try:
            await self._loop.create_connection(lambda: _Connection(self), self.host, self.port)
        except OSError as error:
            if self._waiting:  # each failed connection answers one call, so a server that is away fails all at once
                self._waiting.popleft().done(Response(FAILED, f"no connection: {error}".encode()))

    def opened(self, connection: "_Connection") -> None:
        self._open.add(connection)
        self.idle(connection)

    def idle(self, connection: "_Connection") -> None:
        if self._waiting:
            connection.start(self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect()


class _Connection(asyncio.Protocol):
    """One connection: also the callbacks that httptools' parser wants."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self.call: _Call | None = None
        self._why = "connection closed by the server"

    def start(self, call: _Call) -> None:
        self.call = call
        if self._transport is not None:
            self._transport.write(call.request)

    def abort(self, why: str) -> None:
        self._why = why
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has the methods of asyncio.Transport without being one.
        self._transport = cast(asyncio.Transport, transport)
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.abort(f"not HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._pool.lost(self)
        if self.call is not None:
            call, self.call = self.call, None
            call.done(Response(FAILED, f"{self._why} {error or ''}".strip().encode()))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        call, self.call = self.call, None
        response = Response(self._parser.get_status_code(), b"".join(self._body))
        self._body = []
        if self._parser.should_keep_alive():
            self._pool.idle(self)
        elif self._transport is not None:
            self._transport.close()
        if call is not None:
            call.done(response)


class Requests:
    """Writes requests of JSON to one server; `token` empty: no authorisation."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._headers = (
            f" HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}Content-Type: application/json\r\nContent-Length: "
        ).encode()

    def post(self, target: str, body: bytes = b"") -> bytes:
        """The bytes of a POST request."""
        return b"POST %b%b%d\r\n\r\n%b" % (target.encode(), self._headers, len(body), body)
