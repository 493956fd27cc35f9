"""Points by each interface, as (time in epoch milliseconds, value); malformed ones among them, which must be refused.

A sender returns once all good ones were acknowledged; it asserts what the answers say of the others. Each interface
is a line: the label `host` of one metric names it; of error codes each code is one.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import cramjam
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from api.collect.remote_write import WriteRequest
from contracts.times import format_millis
from tests.e2e.world import ENCODERS, World

HISTOGRAM = "e2e_oracle"
METRIC = f"{HISTOGRAM}_sum"  # so a histogram of one observation adds its value to the same metric
BUILD = "e2e-oracle"
FAR = 4_102_444_800_000  # the year 2100
Points = Sequence[tuple[int, float]]
Send = Callable[[World, str, Points], None]

BAD_LINES = (
    b"{",
    b'{"name":"%s","value":NaN}' % METRIC.encode(),
    b'{"name":"%s","value":1e999}' % METRIC.encode(),
    b'{"name":"%s","value":"1"}' % METRIC.encode(),
    b'{"name":"%s","value":1,"time":%d}' % (METRIC.encode(), FAR),
    b'{"name":"%s","value":1,"labels":{"host":""}}' % METRIC.encode(),
    b'{"name":"a{b","value":1}',
)
BAD_ERRORS = (b"2011-02-07T00:00:00Z 1.4.2", b"yesterday 1.4.2 7", b"25:00:00 1.4.2 7", b"2100-01-01T00:00:00Z 1 7")


def by_query(world: World, line: str, points: Points) -> None:
    for time, value in points:
        query = urlencode({"key": METRIC, "value": value, "time": time, "host": line})
        assert world.call("GET", f"/collect?{query}").status == 204
    for wrong in ({"value": "nan"}, {"value": "1e999"}, {"value": "x"}, {"value": 1, "time": FAR}):
        assert world.call("GET", f"/collect?{urlencode({'key': METRIC, 'host': line, **wrong})}").status == 400


def by_data(world: World, line: str, points: Points) -> None:
    for pairs in _pairs(line, points):
        assert world.call("GET", f"/collect?{urlencode({'data': json.dumps(pairs)})}").status == 204
    assert world.call("GET", f"/collect?{urlencode({'data': '{'})}").status == 400


def by_object(world: World, line: str, points: Points) -> None:
    for pairs in _pairs(line, points):
        assert world.call("POST", "/collect", json.dumps(pairs).encode()).status == 204
    assert world.call("POST", "/collect", json.dumps({METRIC: [1], "host": line}).encode()).status == 400


def by_array(world: World, line: str, points: Points) -> None:
    """One bad object keeps all of them from being taken."""
    pairs = _pairs(line, points)
    assert world.call("POST", "/collect", json.dumps(pairs).encode()).status == 204
    assert world.call("POST", "/collect", json.dumps([*pairs, {METRIC: None}]).encode()).status == 400


def _pairs(line: str, points: Points) -> list[dict[str, Any]]:
    return [{METRIC: value, "host": line, "time": f"{format_millis(time)}Z"} for time, value in points]


@dataclass(frozen=True)
class Lines:
    """`POST /v1/points` in an encoding; with `key` sent twice, as a client does that lost the answer."""

    kind: str
    encoding: str
    key: str = ""

    def __call__(self, world: World, line: str, points: Points) -> None:
        good = [
            json.dumps({"name": METRIC, "kind": self.kind, "time": time, "value": value, "labels": {"host": line}})
            for time, value in points
        ]
        pack = ENCODERS[self.encoding]
        headers = {"Content-Encoding": self.encoding}
        _lines(world, "/v1/points", [text.encode() for text in good], BAD_LINES, headers, self.key, pack)


def by_errors(world: World, line: str, points: Points) -> None:
    """Error codes, of value 1 each, in all spellings; twice under one key."""
    times = [format_millis(time) for time, _ in points]
    forms = ("{}Z\t{}\t{}", "{}, {}, {}", "{}+00:00 {} {}")
    good = [forms[at % 3].format(time, BUILD, line).encode() for at, time in enumerate(times)]
    good = [text.replace(b"T", b" ") if at % 2 else text for at, text in enumerate(good)]
    _lines(world, "/v1/errors", good, BAD_ERRORS, {}, f"errors-{line}-{times[0]}", bytes)


def _lines(
    world: World,
    path: str,
    good: Sequence[bytes],
    bad: Sequence[bytes],
    headers: dict[str, str],
    key: str,
    pack: Callable[[bytes], bytes],
) -> None:
    """A bad line after every third good one; the answer must list each by its number."""
    body: list[bytes] = []
    wrong: list[int] = []
    for at, line in enumerate(good):
        body.append(line)
        if at % 3 == 0 and len(wrong) < 50:
            body.append(bad[len(wrong) % len(bad)])
            wrong.append(len(body))
    once = {"Idempotency-Key": key} if key else {}
    for _ in range(2 if key else 1):
        answer = world.call("POST", path, pack(b"\n".join(body)), headers | once)
        assert answer.status == 202, answer.body
        told = answer.json()
        assert (told["accepted"], told["rejected"]) == (len(good), len(wrong)), told
        assert [error["line"] for error in told["errors"]] == wrong


def by_remote_write(world: World, line: str, points: Points) -> None:
    """A stale marker among the samples; a series without a name is refused, and the others are kept."""
    request: Any = WriteRequest()
    series = request.timeseries.add()
    series.labels.add(name="__name__", value=METRIC)
    series.labels.add(name="host", value=line)
    for time, value in [*points, (points[0][0], float("nan"))]:
        series.samples.add(value=value, timestamp=time)
    nameless = request.timeseries.add()
    nameless.samples.add(value=1, timestamp=points[0][0])
    body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    assert world.call("POST", "/api/v1/write", body, headers).status == 400
    assert world.call("POST", "/api/v1/write", b"\x07", {"Content-Type": "application/x-protobuf"}).status == 400


def by_otlp(world: World, line: str, points: Points) -> None:
    """One point is of too far ahead, and counted as refused; one is infinite, and left out."""
    request: Any = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=METRIC)
    for time, value in [*points, (FAR, 1.0), (points[0][0], float("inf"))]:
        point = metric.gauge.data_points.add(time_unix_nano=time * 1_000_000, as_double=value)
        point.attributes.add(key="host").value.string_value = line
    headers = {"Content-Type": "application/x-protobuf"}
    answer = world.call("POST", "/v1/metrics", request.SerializeToString(), headers)
    assert answer.status == 200
    assert b"data point" in answer.body
    assert world.call("POST", "/v1/metrics", b"\x07", headers).status == 400


def by_otlp_json(world: World, line: str, points: Points) -> None:
    """A sum of changes: a counter."""
    host = [{"key": "host", "value": {"stringValue": line}}]
    sent = [*points, (FAR, 1.0)]
    data = [{"timeUnixNano": str(time * 1_000_000), "asDouble": value, "attributes": host} for time, value in sent]
    metric = {"name": METRIC, "sum": {"aggregationTemporality": 1, "dataPoints": data}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    headers = {"Content-Type": "application/json"}
    answer = world.call("POST", "/v1/metrics", body, headers)
    assert (answer.status, answer.json()["partialSuccess"]["rejectedDataPoints"]) == (200, "1")
    assert world.call("POST", "/v1/metrics", b"{", headers).status == 400


def by_otlp_histogram(world: World, line: str, points: Points) -> None:
    """Of one observation each, whose value is their sum; explicit bounds and exponential ones in turn."""
    request: Any = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    explicit, exponential = (scope.metrics.add(name=HISTOGRAM) for _ in range(2))
    for at, (time, value) in enumerate([*points, (FAR, 1.0), (FAR, 1.0)]):
        if at % 2:
            point = exponential.exponential_histogram.data_points.add(scale=3)
            (point.positive if value > 0 else point.negative).bucket_counts.append(1)
        else:
            point = explicit.histogram.data_points.add(explicit_bounds=[20.0], bucket_counts=[value < 20, value >= 20])
        point.time_unix_nano, point.count, point.sum = time * 1_000_000, 1, value
        point.attributes.add(key="host").value.string_value = line
    answer = world.call("POST", "/v1/metrics", request.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    assert answer.status == 200
    refused = ExportMetricsServiceResponse.FromString(answer.body).partial_success.rejected_data_points
    assert refused == 2


SENDERS: dict[str, Send] = {
    "query": by_query,
    "data": by_data,
    "object": by_object,
    "array": by_array,
    "lines": Lines("gauge", "identity"),
    "lines-gzip": Lines("counter", "gzip"),
    "lines-zstd": Lines("histogram", "zstd"),
    "remote-write": by_remote_write,
    "otlp": by_otlp,
    "otlp-json": by_otlp_json,
    "otlp-histogram": by_otlp_histogram,
}
