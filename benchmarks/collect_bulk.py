"""`POST /v1/user-tags`: events a second in NDJSON bodies of 5,000 lines, plain, gzip and zstd, each acknowledged.

The rival, the same route in Flask, takes them plain. Every acknowledged event is counted in the topic in the end.
SECONDS sets the length of a run.
"""

import gzip
import os
from collections.abc import Callable
from typing import Final

import click
import zstandard

from benchmarks.results import Result
from benchmarks.rig.collecting import Collector, Load, Measured, middle, site
from benchmarks.rig.rivals.flask_collect import FlaskCollector
from contracts.codec import encode_lines
from testbed.generator import Traffic

RUNS: Final = 3
SECONDS: Final = 8.0
CONNECTIONS: Final = 4
LINES: Final = 5000  # a body
BODIES: Final = 20  # different ones, sent over and over
ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "identity": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "zstd": zstandard.ZstdCompressor().compress,
}


def run() -> list[Result]:
    """BenchmarkFailed when an acknowledged event is missing."""
    loads = {name: _load(name) for name in ENCODINGS}
    runs: dict[str, list[Measured]] = {name: [] for name in [*ENCODINGS, "flask on granian"]}
    click.echo(Measured.heading())
    with site("collect_bulk") as place:
        for _ in range(RUNS):
            for name, load in loads.items():
                runs[name].append(place.measure(Collector, load))
                click.echo(runs[name][-1].row(f"tidewatch, {name}"))
            runs["flask on granian"].append(place.measure(FlaskCollector, loads["identity"]))
            click.echo(runs["flask on granian"][-1].row("flask on granian, identity"))
    rival = middle(runs["flask on granian"])
    best = {name: middle(runs[name]) for name in ENCODINGS}
    return [
        Result(f"collect_bulk.{name}", measured.rate, "events/s", "Flask on granian", rival.rate, measured.server_us)
        for name, measured in best.items()
    ]


def _load(encoding: str) -> Load:
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return Load(bulk_requests(encoding), 202, CONNECTIONS, LINES, seconds)


def bulk_requests(encoding: str) -> list[bytes]:
    """Whole requests, each with a body of seeded tags in one of ENCODINGS."""
    return [_request(number, encoding) for number in range(BODIES)]


def _request(number: int, encoding: str) -> bytes:
    traffic = Traffic(seed=1)
    first = number * LINES
    body = ENCODINGS[encoding](encode_lines(traffic.tag(first + at) for at in range(LINES)))
    return (
        b"POST /v1/user-tags HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (encoding.encode(), len(body), body)
    )
