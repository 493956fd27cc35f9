"""`POST /v1/user-tags`: many tags as NDJSON, 202 once every good line is durable."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import msgspec

from api import metrics
from api.asgi import JSON, Receive, Response, Scope, header, read_body
from api.collect.bulk_parse import LineError, Tags, by_shape, parse, records
from api.collect.collector import Clock, Collector
from api.collect.decompress import check_encoding, decompress
from api.collect.producer import OutRecord
from api.problems import Problem, invalid, unavailable
from contracts.settings import Settings
from contracts.tags import encode_tag

_SMALL_LINES: Final = 50  # up to here a body joins the micro-batches: an Arrow record would cost more than it saves
_SMALL_BYTES: Final = 32_768  # up to here a body is read in the loop: under 0.2 ms
_SHOWN_ERRORS: Final = 100
AT_ONCE: Final = 16  # bodies being read or written: bounds the memory they take


class _Prepared(NamedTuple):
    """A body: how many of its lines are good, the rest, and as what the good ones go: most in records of their own."""

    accepted: int
    errors: list[LineError]
    records: list[OutRecord]
    lines: Tags


class BulkHandler:
    """Unpacks, validates line by line, sends the good ones."""

    def __init__(self, collector: Collector, settings: Settings, clock: Clock) -> None:
        self._collector = collector
        self._api = settings.api
        # Twice below what the broker takes: a record has headers, and producers count roughly.
        self._record_bytes = settings.kafka.max_record_bytes // 2
        self._clock = clock
        self._running = 0
        # One thread: reading a body is pure computation, more threads would only take the loop's turns.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulk")

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        if self._running >= AT_ONCE:
            raise unavailable(f"{AT_ONCE} bulk requests are being taken already: send again later")
        self._running += 1
        try:
            return await self._take(scope, receive)
        finally:
            self._running -= 1

    async def _take(self, scope: Scope, receive: Receive) -> Response:
        encoding = check_encoding(header(scope, b"content-encoding").decode("latin-1"))
        body = await read_body(receive, self._api.max_body_bytes)
        now = self._clock()
        if len(body) <= _SMALL_BYTES and encoding == "identity":
            prepared = self._prepare(body, encoding, now)
        else:
            loop = asyncio.get_running_loop()
            prepared = await loop.run_in_executor(self._thread, self._prepare, body, encoding, now)
        for error in prepared.errors:
            metrics.REJECTED.labels(error.field).inc()
        if not prepared.accepted:
            raise _nothing_good(prepared.errors)
        await self._send(prepared, now)
        return Response(202, _summary(prepared), JSON)

    def _prepare(self, body: bytes, encoding: str, now: int) -> "_Prepared":
        parsed = parse(decompress(body, encoding, self._api.max_body_bytes), now)
        good = parsed.good
        if len(good) <= _SMALL_LINES:
            return _Prepared(len(good), parsed.errors, [], good)
        fitting, odd = by_shape(good)
        ready = records(fitting, self._collector.partitions, self._api.bulk_rows, self._record_bytes, now)
        return _Prepared(len(good), parsed.errors, ready, odd)

    async def _send(self, prepared: "_Prepared", now: int) -> None:
        futures: list[asyncio.Future[None]] = []
        refused: BaseException | None = None
        try:
            # One by one: those that were taken before one is refused must be waited for.
            for record in prepared.records:
                futures.append(self._collector.add_record(record))
            for tag, time in zip(prepared.lines.tags, prepared.lines.times, strict=True):
                futures.append(self._collector.add(tag.cookie, encode_tag(tag), time, now))
        except Problem as problem:
            refused = problem
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        failures = [outcome for outcome in [refused, *outcomes] if outcome is not None]
        if not failures:
            return
        if not futures:
            raise failures[0]
        raise unavailable(f"a part of the lines may have been accepted: {failures[0]}")


def _nothing_good(errors: list[LineError]) -> Problem:
    if not errors:
        return invalid("", "the body holds no line; send one JSON tag a line")
    line, field, reason = errors[0]
    return invalid(field, f"none of {len(errors)} lines is a valid tag; line {line}: {reason}")


def _summary(prepared: _Prepared) -> bytes:
    return msgspec.json.encode(
        {
            "accepted": prepared.accepted,
            "rejected": len(prepared.errors),
            "errors": [error._asdict() for error in prepared.errors[:_SHOWN_ERRORS]],
        }
    )
