"""StatsD over UDP and TCP, on loopback: it knows neither tokens nor answers, so what cannot be taken is counted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from api import metrics
from api.collect.collector import Clock
from api.collect.prepared import Prepared
from api.collect.statsd_parse import StatsD
from api.problems import Problem
from contracts.points import InvalidPoint, Point
from contracts.settings import Settings

log: Final = structlog.get_logger()

_SETS_SECONDS: Final = 10.0  # between counts of what is in sets
_READ_BYTES: Final = 16_384  # at once from a connection
_PENDING: Final = 10_000  # points that wait for the broker; what comes by UDP beyond that is dropped

Take = Callable[[list[Point], int], Awaitable[Prepared]]


class StatsDServer:
    """Listens once started. By UDP what is too much is dropped, by TCP the sender waits."""

    def __init__(self, settings: Settings, take: Take, clock: Clock) -> None:
        self._host = settings.host
        # It has no tokens: who may reach it may write.
        self._port = settings.api.statsd_port if settings.is_private else 0
        self._take = take
        self._clock = clock
        self._state = StatsD()
        self._pending = 0
        self._running: set[asyncio.Task[None]] = set()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> None:
        """Several workers share the port. A port that is taken is logged: the rest of the API serves without it."""
        if not self._port:
            return
        loop = asyncio.get_running_loop()
        try:
            self._udp, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self.datagram), (self._host, self._port), reuse_port=True
            )
            self._tcp = await asyncio.start_server(self._connection, self._host, self._port, reuse_port=True)
        except OSError as error:
            log.error("no StatsD: the port cannot be listened on", port=self._port, error=str(error))
        self._spawn(self._count_sets())

    async def close(self) -> None:
        """Takes no more; what was taken and waits goes on in the collector."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def datagram(self, data: bytes) -> None:
        """Lines of one datagram; beyond what may wait for the broker they are dropped."""
        if self._pending >= _PENDING:
            metrics.STATSD_DROPPED.inc()
            return
        self._spawn(self._send(self._read(data.splitlines())))

    def _read(self, lines: list[bytes]) -> list[Point]:
        points: list[Point] = []
        now = self._clock()
        for line in filter(None, map(bytes.strip, lines)):
            try:
                points += self._state.take(line.decode("utf-8", "replace"), now)
            except InvalidPoint as error:
                metrics.REJECTED.labels(error.field).inc()
        return points

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads on once the broker holds what came before, so that a sender that is too fast waits."""
        rest = b""
        with contextlib.suppress(ConnectionError):  # the peer is gone
            while data := await reader.read(_READ_BYTES):
                whole, _, rest = (rest + data).rpartition(b"\n")
                await self._send(self._read(whole.split(b"\n")))
                if len(rest) > _READ_BYTES:
                    break  # no line of StatsD is that long
            await self._send(self._read([rest]))
        writer.close()

    async def _send(self, points: list[Point]) -> None:
        if not points:
            return
        self._pending += len(points)
        try:
            prepared = await self._take(points, self._clock())
            for error in prepared.errors:  # there is nobody to tell
                metrics.REJECTED.labels(error.field).inc()
        except Problem:
            metrics.STATSD_DROPPED.inc(len(points))
        finally:
            self._pending -= len(points)

    async def _count_sets(self) -> None:
        while True:
            await asyncio.sleep(_SETS_SECONDS)
            await self._send(self._state.sets(self._clock()))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._take(data)
