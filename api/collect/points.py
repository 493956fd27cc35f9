"""The routes that take points, over one sender."""

from typing import Final

from api import metrics
from api.asgi import NO_CONTENT, Handler, Receive, Response, Scope, read_body
from api.collect import otlp, remote_write
from api.collect.bulk import BulkHandler, BulkSender, summary
from api.collect.collector import Clock, Collector
from api.collect.pairs import of_json, of_query, refused
from api.collect.point_parse import Numbered, PointPreparer, read_errors, read_points
from api.collect.prepared import Bounds, Prepared
from api.problems import Problem
from contracts.points import Point
from contracts.settings import Settings

_LARGEST_PAIRS_BYTES: Final = 1_048_576


class PointTaker:
    """Points to the collector, whatever they came as: the guards that need a memory are here."""

    def __init__(self, collector: Collector, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self.load = collector.load  # of single calls
        self.sender = BulkSender(collector, settings, clock)
        self.preparer = PointPreparer(settings.api.series_a_metric)
        self._bounds = Bounds(collector.partitions, settings.api.bulk_rows, settings.kafka.max_record_bytes // 2)

    def routes(self) -> dict[str, dict[str, Handler]]:
        """Handlers by path and method."""
        of = self.preparer.of
        collect = PairsHandler(self)
        return {
            "/collect": {"GET": collect, "POST": collect},
            "/v1/points": {"POST": BulkHandler(self.sender, of(read_points), summary, keyed=True)},
            "/v1/errors": {"POST": BulkHandler(self.sender, of(read_errors), summary, keyed=True)},
            "/api/v1/write": {"POST": BulkHandler(self.sender, of(remote_write.read), remote_write.reply)},
            "/v1/metrics": {"POST": otlp.OtlpHandler(self.sender, self.preparer)},
        }

    async def take(self, points: list[Point], now: int) -> Prepared:
        """Those that the cap on series allows, once they are durable."""
        numbered = [Numbered(number, point) for number, point in enumerate(points, 1)]
        prepared = self.preparer.prepare(numbered, now, self._bounds)
        await self.sender.send(prepared, now)
        return prepared


class PairsHandler:
    """`GET /collect?…` and `POST /collect`: 204 once all is durable, or 400 and nothing of it is taken."""

    def __init__(self, taker: PointTaker) -> None:
        self._taker = taker

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        load = self._taker.load
        if load.refuses:
            return await load.refusal()
        body = await read_body(receive, _LARGEST_PAIRS_BYTES)
        now = self._taker.clock()
        try:
            points = of_query(scope["query_string"], now) if scope["method"] != "POST" else of_json(body, now)
            self._taker.preparer.check(points, now)
        except Problem as problem:
            metrics.REJECTED.labels(refused(problem)).inc()
            raise
        await load.until(self._taker.take(points, now))
        return NO_CONTENT
