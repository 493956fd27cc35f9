"""The client: what a program calls. Whatever goes wrong is counted, never raised."""

import functools
import json
import math
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from client.sender import Sender
from client.spill import Spill
from client.transport import Transport

Function = TypeVar("Function", bound=Callable[..., Any])


class Counts(NamedTuple):
    """Points so far: durable at the platform, refused by it, dropped here (no number, buffer or disk full)."""

    sent: int
    refused: int
    dropped: int


class Client:
    """`url` of the API; `labels` go with every point; `buffer` points are held at most, then new ones are dropped.

    `spill`: a folder for what cannot be sent, at most `spill_bytes`; it is sent later, also by the next program
    that names the folder. One program at a time may use it.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        labels: Mapping[str, str] | None = None,
        token: str = "",
        buffer: int = 100_000,
        spill: str | Path | None = None,
        spill_bytes: int = 100_000_000,
    ) -> None:
        self._labels = dict(labels or {})
        folder = Spill(Path(spill), spill_bytes) if spill is not None else None
        self._sender = Sender(Transport(url, token), buffer, folder)
        self._sender.start()
        # A forked child has no thread, and must not send what is its parent's.
        alive = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(alive()))

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """What was read off just now."""
        self._add("gauge", name, value, labels)

    def counter(self, name: str, value: float = 1, **labels: str) -> None:
        """By how much something grew."""
        self._add("counter", name, value, labels)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """One value of many, such as a latency."""
        self._add("histogram", name, value, labels)

    @contextmanager
    def timer(self, name: str, **labels: str) -> Iterator[None]:
        """Observes the milliseconds that its block takes, also of one that raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.observe(name, (time.perf_counter() - started) * 1000, **labels)

    def timed(self, name: str, **labels: str) -> Callable[[Function], Function]:
        """A decorator: observes the milliseconds of each call."""

        def decorate(function: Function) -> Function:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                with self.timer(name, **labels):
                    return function(*args, **kwargs)

            return call  # type: ignore[return-value]  # it takes and returns what `function` does

        return decorate

    @property
    def counts(self) -> Counts:
        return Counts(self._sender.sent, self._sender.refused, self._sender.dropped)

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits up to `timeout` seconds until all that was given so far has left; whether it has."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Flushes and ends; what is left then goes to `spill`, if there is one. Called at exit by itself, too."""
        self._sender.close(timeout)

    def _add(self, kind: str, name: str, value: float, labels: dict[str, str]) -> None:
        try:
            number = float(value)
            if not math.isfinite(number):
                raise ValueError("not finite")
            point = {"name": name, "kind": kind, "value": number, "time": time.time_ns() // 1_000_000}
            line = json.dumps({**point, "labels": {**self._labels, **labels}}).encode()
        except (TypeError, ValueError, OverflowError, RecursionError):
            self._sender.dropped += 1
        else:
            self._sender.put(line)


def _after_fork(client: Client | None) -> None:
    if client is not None:
        client._sender = client._sender.anew()
        client._sender.start()
