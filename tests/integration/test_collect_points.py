"""Points by every interface into a real broker: whatever was acknowledged is there, exactly as it was sent."""

import gzip
import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import statsd
import yaml
import zstandard
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from contracts.codec import Record
from contracts.point_codec import decode_points
from contracts.settings import Settings
from infra import topics as kafka_topics
from tests.conftest import START_SECONDS, RealPart, free_ports
from tests.integration.api_server import ApiServer
from tests.integration.tag_log import empty, read_log

MARCH = 1_646_092_800_000  # 2022-03-01T00:00:00Z
ARRIVAL_SECONDS = 120.0
Rows = list[tuple[str, str, dict[str, str], int, float]]


@pytest.fixture(scope="module")
def topic(settings: Settings, broker: RealPart) -> Settings:
    """The settings with a topic of this file's own for points, and a port for StatsD."""
    own = settings.topics.points.model_copy(update={"name": f"points-{uuid.uuid4().hex[:8]}"})
    api = settings.api.model_copy(update={"statsd_port": free_ports(1)[0], "series_a_metric": 5000})
    changed = settings.model_copy(update={"topics": settings.topics.model_copy(update={"points": own}), "api": api})
    kafka_topics.ensure(changed, START_SECONDS)
    return changed


@pytest.fixture(scope="module")
def api(topic: Settings) -> Iterator[ApiServer]:
    environment = {
        "TIDEWATCH_TOPICS__POINTS__NAME": topic.topics.points.name,
        "TIDEWATCH_API__STATSD_PORT": str(topic.api.statsd_port),
        "TIDEWATCH_API__SERIES_A_METRIC": str(topic.api.series_a_metric),
    }
    server = ApiServer(topic, **environment)
    yield server
    server.stop()


@pytest.fixture
def log(topic: Settings) -> Settings:
    """Of `topic`, whose log holds nothing."""
    empty(topic, topic.topics.points)
    return topic


def points_in(settings: Settings) -> Rows:
    """All points of the topic as (name, kind, labels, time, value), by partition in the order of the log."""
    found: Rows = []
    for read in read_log(settings, settings.topics.points):
        points, series, rejects = decode_points([Record(read.offset, read.event_time, read.ingested, read.value)])
        assert rejects == []
        for identity, at, value in zip(
            *(points[name].to_pylist() for name in ("series", "time", "value")), strict=True
        ):
            one = series[identity]
            assert one.shard % settings.topics.points.partitions == read.partition
            found.append((one.name, one.kind, dict(one.labels), at, value))
    return found


def wait_for_points(settings: Settings, enough: Callable[[Rows], bool]) -> Rows:
    """What is in the topic once that is enough: for senders that no answer tells when."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while not enough(found := points_in(settings)):
        assert time.monotonic() < deadline, f"only {found} came"
        time.sleep(0.1)
    return found


def test_pairs(log: Settings, api: ApiServer) -> None:
    assert api.call("GET", f"/collect?key=response%20time&value=1.5&time={MARCH}&host=a").status == 204
    assert api.call("GET", f"/collect?data=%7B%22cpu%22:2,%22host%22:%22b%22,%22time%22:{MARCH + 1}%7D").status == 204
    body = [{"key": "cpu", "value": 3, "time": MARCH + 2}, {"net": 4, "disk": 5, "time": MARCH + 3}]
    assert api.call("POST", "/collect", json.dumps(body).encode()).status == 204
    refused = api.call("POST", "/collect", json.dumps([*body, {"cpu": True}]).encode())
    assert (refused.status, refused.json["field"]) == (400, "cpu")
    assert sorted(points_in(log), key=lambda row: row[3:]) == [
        ("response time", "gauge", {"host": "a"}, MARCH, 1.5),
        ("cpu", "gauge", {"host": "b"}, MARCH + 1, 2.0),
        ("cpu", "gauge", {}, MARCH + 2, 3.0),
        ("net", "gauge", {}, MARCH + 3, 4.0),
        ("disk", "gauge", {}, MARCH + 3, 5.0),
    ]


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("count", [20, 3000])
def test_bulk(log: Settings, api: ApiServer, encoding: str, count: int) -> None:
    rows = [("m", "counter", {"id": str(at % 7)}, MARCH + at, at / 8) for at in range(count)]
    names = ("name", "kind", "labels", "time", "value")
    lines = [json.dumps(dict(zip(names, row, strict=True))).encode() for row in rows]
    body = b"\n".join([*lines[:10], b'{"name":"m","value":NaN}', b"", *lines[10:], b'{"name":"","value":1}'])
    pack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
    packed = pack.get(encoding, bytes)(body)
    answer = api.call("POST", "/v1/points", packed, {"Content-Encoding": encoding})
    assert answer.status == 202
    errors = [(error["line"], error["field"]) for error in answer.json["errors"]]
    assert (answer.json["accepted"], answer.json["rejected"], errors) == (count, 2, [(11, ""), (count + 3, "name")])
    assert sorted(points_in(log), key=lambda row: row[3]) == rows


def test_too_many_series_are_refused(log: Settings, api: ApiServer) -> None:
    lines = [json.dumps({"name": "many", "value": 1, "labels": {"id": str(at)}}).encode() for at in range(5003)]
    answer = api.call("POST", "/v1/points", b"\n".join(lines))
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (202, 5000, 3)
    assert [error["line"] for error in answer.json["errors"]] == [5001, 5002, 5003]
    metrics = api.call("GET", "/metrics").body.decode()
    assert 'tidewatch_api_events_rejected_total{field="labels"} 3.0' in metrics


def test_error_codes(log: Settings, api: ApiServer) -> None:
    answer = api.call("POST", "/v1/errors", b"2022-03-01T00:00:01Z\t1.2\t-7\n2022-03-01 00:00:02 1.3 404\n")
    assert (answer.status, answer.json["accepted"]) == (202, 2)
    assert sorted(points_in(log), key=lambda row: row[3]) == [
        ("errors", "counter", {"build": "1.2", "code": "-7"}, MARCH + 1000, 1.0),
        ("errors", "counter", {"build": "1.3", "code": "404"}, MARCH + 2000, 1.0),
    ]


def test_a_statsd_client(log: Settings, api: ApiServer) -> None:
    address = (log.host, log.api.statsd_port)
    for client in (statsd.StatsClient(*address, prefix="udp"), statsd.TCPStatsClient(*address, prefix="tcp")):
        client.incr("hits", 3)
        client.timing("took", 12.5)
        client.gauge("temp", 7)
        client.gauge("temp", 2, delta=True)
        client.close()
    found = wait_for_points(log, lambda rows: len(rows) >= 8)
    for prefix in ("udp", "tcp"):
        mine = [(name, kind, value) for name, kind, _, _, value in found if name.startswith(prefix)]
        assert sorted(mine) == [
            (f"{prefix}.hits", "counter", 3.0),
            (f"{prefix}.temp", "gauge", 7.0),
            (f"{prefix}.temp", "gauge", 9.0),
            (f"{prefix}.took", "histogram", 12.5),
        ]


def test_many_lines_of_statsd_on_one_connection(log: Settings, api: ApiServer) -> None:
    with socket.create_connection((log.host, log.api.statsd_port)) as connection:
        for part in range(0, 20_000, 1000):
            connection.sendall("".join(f"hits:{at}|c|#n:{at % 3}\n" for at in range(part, part + 1000)).encode())
        connection.sendall(b"no\nlast:1|c")
    # The last may stand in another partition than those before it, and be there before them.
    names = [*["hits"] * 20_000, "last"]
    found = wait_for_points(log, lambda rows: sorted(row[0] for row in rows)[-len(names) :] == names)
    assert sorted(row[4] for row in found if row[0] == "hits") == list(map(float, range(20_000)))


def test_the_opentelemetry_sdk(log: Settings, api: ApiServer) -> None:
    exporter = OTLPMetricExporter(endpoint=f"http://{log.host}:{api.port}/v1/metrics")
    resource = Resource({"service.name": "shop"})
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, 3_600_000)], resource=resource)
    meter = provider.get_meter("test")
    meter.create_counter("calls").add(5, {"route": "/"})
    meter.create_histogram("took", explicit_bucket_boundaries_advisory=[1, 10]).record(3)
    provider.shutdown()  # exports, and raises nothing whatever the answer: the points tell
    found = {(name, labels.get("le")): value for name, _, labels, _, value in points_in(log)}
    assert found == {
        ("calls", None): 5.0,
        ("took_count", None): 1.0,
        ("took_sum", None): 3.0,
        ("took_min", None): 3.0,
        ("took_max", None): 3.0,
        ("took_bucket", "1.0"): 0.0,
        ("took_bucket", "10.0"): 1.0,
        ("took_bucket", "+Inf"): 1.0,
    }


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs the Debian package prometheus")
def test_prometheus(log: Settings, api: ApiServer, tmp_path: Path) -> None:
    """Scrapes the API and writes to it what it scraped."""
    (port,) = free_ports(1)
    address = f"{log.host}:{api.port}"
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "api", "static_configs": [{"targets": [address]}]}],
        "remote_write": [{"url": f"http://{address}/api/v1/write"}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    running = subprocess.Popen([*command, f"--web.listen-address={log.host}:{port}"])  # noqa: S603  # our own words
    try:
        found = wait_for_points(log, lambda rows: sum(row[0] == "up" and row[4] == 1.0 for row in rows) >= 3)
    finally:
        running.terminate()
        running.wait(ARRIVAL_SECONDS)
    # 0 when an answer took longer than the second that it has.
    assert {(kind, value) for name, kind, _, _, value in found if name == "up"} <= {("gauge", 1.0), ("gauge", 0.0)}
    assert {labels["job"] for _, _, labels, _, _ in found} == {"api"}
    assert any(name == "tidewatch_api_requests_total" for name, *_ in found)


def test_without_a_broker_all_are_refused(topic: Settings) -> None:
    server = ApiServer(topic, TIDEWATCH_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1", TIDEWATCH_API__STATSD_PORT="0")
    try:
        for method, target, body in (
            ("GET", "/collect?key=cpu&value=1", b""),
            ("POST", "/v1/points", b'{"name":"cpu","value":1}'),
            ("POST", "/v1/errors", b"2022-03-01T00:00:01Z 1.2 -7"),
        ):
            answer = server.call(method, target, body)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    finally:
        server.stop()
