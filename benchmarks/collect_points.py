"""Points by each interface over HTTP, in closed loop: how many a second are acknowledged, at what CPU of the server.

Calls of one point (`GET /collect`, plain and by `data`), of ten (`POST /collect`), and bodies of 5,000 by all others,
compressed as their senders do it; StatsD over one TCP connection, which knows no answers (by UDP it loses what is too
much). Every acknowledged point is counted in the topic in the end. SECONDS sets the length of a run, ONE the name of
the only one to run.
"""

import gzip
import json
import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import click
import cramjam
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from api.collect.remote_write import WriteRequest
from benchmarks.results import Result
from benchmarks.rig.collecting import Collector, Load, Measured, middle, site
from benchmarks.rig.points import PointStream
from contracts.points import Point
from contracts.times import format_millis

RUNS: Final = 3
SECONDS: Final = 8.0
POINTS: Final = 5000  # a body
BODIES: Final = 10  # different ones, sent over and over
STATSD: Final = 300_000  # lines over one TCP connection
CALLS: Final = 5000  # different calls of a few points
STREAM: Final = PointStream(seed=1, points=POINTS * BODIES, a_minute=600_000, series=1000)


def run() -> list[Result]:
    """BenchmarkFailed when an acknowledged point is missing."""
    chosen = {name: load for name, load in loads().items() if os.environ.get("ONE", name) == name}
    runs: dict[str, list[Measured]] = {name: [] for name in (*chosen, "statsd") if os.environ.get("ONE", name) == name}
    click.echo(Measured.heading())
    with site("collect_points") as place:
        for _ in range(RUNS):
            for name, load in chosen.items():
                runs[name].append(place.measure(Collector, load))
                click.echo(runs[name][-1].row(name))
            if "statsd" in runs:
                runs["statsd"].append(place.pour(_statsd(), STATSD))
                click.echo(runs["statsd"][-1].row("statsd"))
    best = {name: middle(measured) for name, measured in runs.items()}
    return [Result(f"collect_points.{name}", one.rate, "points/s", cpu_us=one.server_us) for name, one in best.items()]


def loads() -> dict[str, Load]:
    """By the name of the interface."""
    ndjson = [b"\n".join(STREAM.lines(columns)) for columns in STREAM.batches(POINTS)]
    lines = "application/x-ndjson"
    protobuf = "application/x-protobuf"
    return {
        "pair": _few([_get(point) for point in _points(CALLS)], 1, 512),
        "data": _few([_data(point) for point in _points(CALLS)], 1, 512),
        "pairs": _few([_post("/collect", _pairs(first), "application/json") for first in range(0, CALLS, 10)], 10, 256),
        "ndjson": _many([_post("/v1/points", body, lines) for body in ndjson]),
        "ndjson.gzip": _many([_post("/v1/points", gzip.compress(body, 6), lines, "gzip") for body in ndjson]),
        "ndjson.zstd": _many(
            [_post("/v1/points", zstandard.ZstdCompressor().compress(body), lines, "zstd") for body in ndjson]
        ),
        "errors": _many([_post("/v1/errors", body, "text/plain") for body in _error_codes()]),
        "remote_write": _many(
            [_post("/api/v1/write", body, protobuf, "snappy") for body in map(_snappy, _remote_write())], 204
        ),
        "otlp": _many([_post("/v1/metrics", body, protobuf) for body in map(_protobuf, _otlp())], 200),
        "otlp.json": _many([_post("/v1/metrics", body, "application/json") for body in map(_json, _otlp())], 200),
    }


def _few(requests: list[bytes], points: int, connections: int) -> Load:
    return _load(requests, 204, connections, points)


def _many(requests: list[bytes], status: int = 202) -> Load:
    return _load(requests, status, 4, POINTS)


def _load(requests: list[bytes], status: int, connections: int, points: int) -> Load:
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return Load(requests, status, connections, points, seconds, "points")


def _points(count: int, first: int = 0) -> list[Point]:
    columns = STREAM.batch(first, count)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Point(STREAM.all_series[series], time, value) for series, time, value in rows]


def _get(point: Point) -> bytes:
    """Of its labels the host: the others have no place in this call."""
    host = dict(point.series.labels)["host"]
    target = f"/collect?key={point.series.name}&value={point.value}&time={point.time}&host={host}"
    return b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % target.encode()


def _data(point: Point) -> bytes:
    document = {point.series.name: point.value, "time": point.time, **dict(point.series.labels)}
    return b"GET /collect?%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % urlencode({"data": json.dumps(document)}).encode()


def _pairs(first: int) -> bytes:
    return json.dumps(
        [
            {"key": point.series.name, "value": point.value, "time": point.time, **dict(point.series.labels)}
            for point in _points(10, first)
        ]
    ).encode()


def _error_codes() -> Iterator[bytes]:
    for body in range(BODIES):
        rows = [
            f"{format_millis(point.time)}Z\t1.4.{at % 3}\t{at % 50 - 7}"
            for at, point in enumerate(_points(POINTS, body * POINTS))
        ]
        yield "\n".join(rows).encode()


def _remote_write() -> Iterator[bytes]:
    for body in range(BODIES):
        request: Any = WriteRequest()
        for point in _points(POINTS, body * POINTS):
            series = request.timeseries.add()
            for key, value in (("__name__", point.series.name), *point.series.labels):
                series.labels.add(name=key, value=value)
            series.samples.add(value=point.value, timestamp=point.time)
        yield request.SerializeToString()


def _protobuf(request: Any) -> bytes:
    return bytes(request.SerializeToString())


def _json(request: Any) -> bytes:
    return str(json_format.MessageToJson(request, indent=None)).encode()


def _otlp() -> Iterator[Any]:
    for body in range(BODIES):
        request: Any = ExportMetricsServiceRequest()
        scope = request.resource_metrics.add().scope_metrics.add()
        for point in _points(POINTS, body * POINTS):
            data = scope.metrics.add(name=point.series.name).gauge.data_points.add(
                time_unix_nano=point.time * 1_000_000, as_double=point.value
            )
            for key, value in point.series.labels:
                data.attributes.add(key=key).value.string_value = value
        yield request


def _statsd() -> bytes:
    return b"".join(
        b"%b:%b|ms|#%b\n" % (point.series.name.encode(), repr(point.value).encode(), _tags(point).encode())
        for point in _points(CALLS)
    ) * (STATSD // CALLS)


def _tags(point: Point) -> str:
    return ",".join(f"{key}:{value}" for key, value in point.series.labels)


def _snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def _post(path: str, body: bytes, kind: str, encoding: str = "identity") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Encoding: {encoding}\r\n"
    return b"%bContent-Length: %d\r\n\r\n%b" % (head.encode(), len(body), body)
