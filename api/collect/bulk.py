"""Routes that take many events a request: unpack, read in a thread, answer once every good event is durable."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NoReturn

import msgspec

from api import metrics
from api.asgi import JSON, Receive, Response, Scope, header, read_body, skip_body
from api.collect.backlog import Backlog
from api.collect.collector import Clock, Collector
from api.collect.decompress import check_encoding, decompress
from api.collect.pause import Pause
from api.collect.prepared import Bounds, LineError, Prepare, Prepared
from api.problems import Problem, invalid, unavailable
from contracts.settings import Settings

_SMALL_BYTES: Final = 32_768  # up to here a body is read in the loop: under 0.2 ms
_SHOWN_ERRORS: Final = 100
_LONGEST_KEY: Final = 255  # of an Idempotency-Key
_PAUSE_EACH: Final = 0.003  # seconds; refusing a body costs 0.3 ms
AT_ONCE: Final = 16  # bodies being read or written: bounds the memory they take

Reply = Callable[[Prepared], Response]


class BulkSender:
    """Takes bodies, sends what is good in them. What a body means is its route's: see `BulkHandler`."""

    def __init__(self, collector: Collector, settings: Settings, clock: Clock) -> None:
        self._collector = collector
        self._api = settings.api
        # Twice below what the broker takes: a record has headers, and producers count roughly.
        self._bounds = Bounds(collector.partitions, settings.api.bulk_rows, settings.kafka.max_record_bytes // 2)
        self._clock = clock
        self._running = 0
        self._pause = Pause(_PAUSE_EACH)
        self._backlog = Backlog()
        # One thread: reading a body is pure computation, more threads would only take the loop's turns.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulk")

    async def take(self, scope: Scope, receive: Receive, prepare: Prepare, once: str = "") -> Prepared:
        """What the body holds, once every good event in it is durable; Problem when one may not be.

        `once`: see Bounds.
        """
        if self._running >= AT_ONCE or self._backlog.refuses:
            await skip_body(receive)  # a connection whose request is not read is closed, and the answer lost
            await self._refuse()
        self._running += 1
        try:
            prepared = await self._take(scope, receive, prepare, once)
        finally:
            self._running -= 1
        if prepared is None:
            await self._refuse()
        return prepared

    async def _refuse(self) -> NoReturn:
        """Problem 503, after the pause."""
        await self._pause.wait()
        raise unavailable("more bulk requests come than can be read: send again later")

    async def _take(self, scope: Scope, receive: Receive, prepare: Prepare, once: str) -> Prepared | None:
        """None when it would wait too long by now."""
        encoding = check_encoding(header(scope, b"content-encoding").decode("latin-1"))
        body = await read_body(receive, self._api.max_body_bytes)
        if self._backlog.refuses:  # others have come while it did
            return None
        now, bounds = self._clock(), self._bounds._replace(once=once)

        def unpack_and_prepare() -> Prepared:
            return prepare(decompress(body, encoding, self._api.max_body_bytes), now, bounds)

        if len(body) <= _SMALL_BYTES and encoding == "identity":
            prepared = unpack_and_prepare()
        else:
            prepared = await self._in_turn(len(body), unpack_and_prepare)
        for error in prepared.errors:
            metrics.REJECTED.labels(error.field).inc()
        await self.send(prepared, now)
        return prepared

    async def _in_turn(self, size: int, work: Callable[[], Prepared]) -> Prepared:
        """By the thread, after the bodies before it."""

        def timed() -> tuple[Prepared, float]:
            began = time.monotonic()
            return work(), time.monotonic() - began

        self._backlog.entered(size)
        try:
            prepared, seconds = await asyncio.get_running_loop().run_in_executor(self._thread, timed)
        finally:
            self._backlog.left(size)
        self._backlog.took(size, seconds)
        return prepared

    async def send(self, prepared: Prepared, now: int) -> None:
        """Returns once every good event is durable; Problem 503 says whether a part of them may be."""
        futures: list[asyncio.Future[None]] = []
        refused: BaseException | None = None
        try:
            # One by one: those that were taken before one is refused must be waited for.
            for record in prepared.records:
                futures.append(self._collector.add_record(record))
            for shard, line, time in prepared.lines:
                futures.append(self._collector.add(shard, line, time, now))
        except Problem as problem:
            refused = problem
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        failures = [outcome for outcome in [refused, *outcomes] if outcome is not None]
        if not failures:
            return
        if not futures:
            raise failures[0]
        raise unavailable(f"a part of the events may have been accepted: {failures[0]}")


class BulkHandler:
    """A route: its body is read by `prepare`, its answer made by `reply`.

    `keyed`: a request may carry an `Idempotency-Key`, with which it counts once however often it is sent.
    """

    def __init__(self, sender: BulkSender, prepare: Prepare, reply: Reply, *, keyed: bool = False) -> None:
        self._sender = sender
        self._prepare = prepare
        self._reply = reply
        self._keyed = keyed

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        once = key_of(scope) if self._keyed else ""
        return self._reply(await self._sender.take(scope, receive, self._prepare, once))


def key_of(scope: Scope) -> str:
    """The request's `Idempotency-Key`, empty for none; Problem 400 for one that is too long or no plain text."""
    key = header(scope, b"idempotency-key").decode("latin-1")
    if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", f"must have 1 to {_LONGEST_KEY} printable ASCII characters")
    return key


def summary(prepared: Prepared) -> Response:
    """202 with counts and the first errors; Problem 400 when no event is good."""
    if not prepared.accepted:
        raise _nothing_good(prepared.errors)
    document = {
        "accepted": prepared.accepted,
        "rejected": len(prepared.errors),
        "errors": _shown(prepared.errors),
    }
    return Response(202, msgspec.json.encode(document), JSON)


def _nothing_good(errors: list[LineError]) -> Problem:
    if not errors:
        return invalid("", "the body holds no line; send one event a line")
    line, field, reason = errors[0]
    return invalid(field, f"none of {len(errors)} lines is valid; line {line}: {reason}", _shown(errors))


def _shown(errors: list[LineError]) -> list[dict[str, object]]:
    return [error._asdict() for error in errors[:_SHOWN_ERRORS]]
