"""Points in every format that is taken: what each becomes, what is refused."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import cramjam
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from api.collect import pairs, remote_write
from api.collect.decompress import decompress
from api.collect.otlp import read_json, read_protobuf
from api.collect.point_parse import Numbered, PointPreparer, read_errors, read_points
from api.collect.prepared import SMALL_LINES, Bounds, LineError
from api.collect.series_cap import SeriesCap
from api.collect.statsd_parse import StatsD
from api.problems import Problem
from contracts.codec import Record
from contracts.point_codec import decode_points
from contracts.points import InvalidPoint, Point, encode_point, series_of
from contracts.times import FUTURE_MS

NOW = 1_700_000_000_000  # 2023-11-14T22:13:20Z
BOUNDS = Bounds(partitions=3, rows=100, record_bytes=10**6)
DAY_MS = 86_400_000


def plain(found: Iterable[Numbered | LineError]) -> list[tuple[Any, ...]]:
    """Good points as (name, kind, labels, time, value), others as (number, field)."""
    return [of(one.point) if isinstance(one, Numbered) else (one.line, one.field) for one in found]


def of(point: Point) -> tuple[Any, ...]:
    return (point.series.name, point.series.kind, dict(point.series.labels), point.time, point.value)


class TestPairs:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            (b"key=cpu&value=1.5", [("cpu", {}, NOW, 1.5)]),
            (b"key=success%20%25&value=-1e3&host=a&time=5", [("success %", {"host": "a"}, 5, -1000.0)]),
            (b"key=cpu&value=1&time=1970-01-01T00:00:01Z", [("cpu", {}, 1000, 1.0)]),
            (b"data=%7B%22cpu%22:1,%22time%22:9,%22host%22:%22a%22%7D", [("cpu", {"host": "a"}, 9, 1.0)]),
        ],
    )
    def test_query(self, query: bytes, expected: list[tuple[Any, ...]]) -> None:
        assert [(name, labels, *rest) for name, _, labels, *rest in map(of, pairs.of_query(query, NOW))] == expected

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            (b"", "key"),
            (b"key=cpu", "value"),
            (b"key=cpu&value=", "value"),
            (b"key=cpu&value=many", "value"),
            (b"key=cpu&value=nan", "value"),
            (b"key=cpu&value=inf", "value"),
            (b"key=%22&value=1", "name"),
            (b"key=cpu&value=1&time=later", "time"),
            (b"key=cpu&value=1&tiem=1", "tiem"),
            (b"key=cpu&value=1&data=%7B%7D", "data"),
            (b"data=%7B", ""),
        ],
    )
    def test_what_is_wrong_in_a_query_is_named(self, query: bytes, field: str) -> None:
        with pytest.raises(Problem) as caught:
            pairs.of_query(query, NOW)
        assert (caught.value.status, caught.value.field) == (400, field)

    def test_json(self) -> None:
        body = [{"key": "cpu", "value": 1, "host": "a"}, {"time": 7, "load": 0.5, "net": 3}]
        found = [of(point) for point in pairs.of_json(json.dumps(body).encode(), NOW)]
        labels = {"host": "a"}
        gauge = "gauge"
        assert found == [("cpu", gauge, labels, NOW, 1.0), ("load", gauge, {}, 7, 0.5), ("net", gauge, {}, 7, 3.0)]

    @pytest.mark.parametrize(
        ("document", "field"),
        [
            ({}, ""),
            ([], ""),
            (5, ""),
            ({"host": "a"}, ""),
            ({"cpu": True}, "cpu"),
            ({"cpu": 1, "more": [1]}, "more"),
            ({"cpu": 10**400}, "cpu"),
            ({"value": 1}, "key"),
            ({"key": "cpu"}, "value"),
            ({"cpu": 1, "time": 1.5}, "time"),
            ({"cpu": 1, "time": NOW + FUTURE_MS + 1}, "time"),
            ([{"cpu": 1}, {"cpu": 1, "host": ""}], "labels"),
        ],
    )
    def test_what_is_wrong_in_json_is_named(self, document: Any, field: str) -> None:
        with pytest.raises(Problem) as caught:
            pairs.of_json(json.dumps(document).encode(), NOW)
        assert (caught.value.status, caught.value.field) == (400, field)


class TestLines:
    def test_points(self) -> None:
        body = b'{"name":"a","value":1}\n\n{"name":"b","value":2,"kind":"counter","time":3}\n{"name":"a"}'
        assert plain(read_points(body, NOW)) == [
            ("a", "gauge", {}, NOW, 1.0),
            ("b", "counter", {}, 3, 2.0),
            (4, "value"),
        ]

    @pytest.mark.parametrize(
        ("line", "time"),
        [
            ("2023-11-14T10:00:00Z\t1.2.3\t-7", NOW - 44_000_000),
            ("2023-11-14T10:00:00.000 1.2.3 -7", NOW - 44_000_000),
            ("2023-11-14 10:00:00,1.2.3,-7\r", NOW - 44_000_000),
            ("2023-11-14T11:00:00+01:00, 1.2.3, -7", NOW - 44_000_000),
            ("10:00:00 1.2.3 -7", NOW - 44_000_000),
            ("9:59:59.500 1.2.3 -7", NOW - 44_000_500),
            ("22:18:20 1.2.3 -7", NOW + FUTURE_MS),
            ("22:18:21 1.2.3 -7", NOW + FUTURE_MS + 1000 - DAY_MS),
        ],
    )
    def test_errors(self, line: str, time: int) -> None:
        expected = ("errors", "counter", {"build": "1.2.3", "code": "-7"}, time, 1.0)
        assert plain(read_errors(line.encode(), NOW)) == [expected]

    def test_bad_lines_of_errors(self) -> None:
        body = b"Timestamp Build_Version Error_Code\n\n1.2.3 -7\n25:00:00 a b\nnow a b\n1:00:00 a b c d\n1:00:00 a \xff"
        found = plain(read_errors(body, NOW))
        assert found[:4] == [(3, ""), (4, "time"), (5, "time"), (6, "")]
        assert found[4][2] == {"build": "a", "code": "�"}


def of_prometheus(*series: tuple[dict[str, str], list[tuple[float, int]]]) -> bytes:
    request = remote_write.WriteRequest()
    for labels, samples in series:
        sent = request.timeseries.add()
        for name, text in labels.items():
            sent.labels.add(name=name, value=text)
        for value, timestamp in samples:
            sent.samples.add(value=value, timestamp=timestamp)
    data: bytes = request.SerializeToString()
    return data


STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def test_remote_write() -> None:
    body = of_prometheus(
        ({"__name__": "up", "job": "a"}, [(1.0, 5), (STALE, 6), (0.0, 7)]),
        ({"job": "nameless"}, [(1.0, 5)]),
        ({"__name__": "up", "empty": ""}, [(2.0, NOW + FUTURE_MS + 1), (3.0, NOW)]),
    )
    assert plain(remote_write.read(decompress(bytes(cramjam.snappy.compress_raw(body)), "snappy", 10**6), NOW)) == [
        ("up", "gauge", {"job": "a"}, 5, 1.0),
        ("up", "gauge", {"job": "a"}, 7, 0.0),
        (4, "name"),
        (5, "time"),
        ("up", "gauge", {}, NOW, 3.0),
    ]


@pytest.mark.parametrize("body", [b"no", b"\xff" * 20])
def test_what_is_no_write_request_is_400(body: bytes) -> None:
    with pytest.raises(Problem):
        list(remote_write.read(body, NOW))


def test_snappy_within_the_limit() -> None:
    packed = bytes(cramjam.snappy.compress_raw(bytes(1000)))
    assert decompress(packed, "snappy", 1000) == bytes(1000)
    for data, limit, status in ((packed, 999, 413), (packed[:-3], 1000, 400), (b"", 1000, 400)):
        with pytest.raises(Problem) as caught:
            decompress(data, "snappy", limit)
        assert caught.value.status == status


def of_otlp(*metrics: Metric) -> list[tuple[Any, ...]]:
    """Through both formats, which must agree."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    resource.scope_metrics.add().metrics.extend(metrics)
    found = plain(read_protobuf(request.SerializeToString(), NOW))
    assert plain(read_json(MessageToJson(request).encode(), NOW)) == found
    return found


class TestOtlp:
    delta = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    total = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    shop = {"service.name": "shop"}

    def test_gauge_with_attributes_of_every_kind(self) -> None:
        metric = Metric(name="cpu")
        point = metric.gauge.data_points.add(as_double=0.5, time_unix_nano=5_999_999)
        point.attributes.add(key="on").value.bool_value = True
        point.attributes.add(key="core").value.int_value = 3
        point.attributes.add(key="share").value.double_value = 0.25
        point.attributes.add(key="list").value.array_value.values.add().int_value = 1
        metric.gauge.data_points.add(as_int=7)
        metric.gauge.data_points.add(as_double=float("nan"))
        metric.gauge.data_points.add(flags=1)
        assert of_otlp(metric) == [
            ("cpu", "gauge", {**self.shop, "on": "true", "core": "3", "share": "0.25"}, 5, 0.5),
            ("cpu", "gauge", self.shop, NOW, 7.0),
        ]

    @pytest.mark.parametrize(("temporality", "kind"), [(delta, "counter"), (total, "gauge")])
    def test_sum(self, temporality: Any, kind: str) -> None:
        metric = Metric(name="calls")
        metric.sum.aggregation_temporality = temporality
        metric.sum.data_points.add(as_int=7, time_unix_nano=10**9)
        assert of_otlp(metric) == [("calls", kind, self.shop, 1000, 7.0)]

    def test_histogram(self) -> None:
        metric = Metric(name="took")
        metric.histogram.aggregation_temporality = self.delta
        point = metric.histogram.data_points.add(count=6, sum=12.5, max=9, explicit_bounds=[1, 2.5])
        point.bucket_counts.extend([1, 2, 3])
        found = [(name, kind, labels.get("le"), value) for name, kind, labels, _, value in of_otlp(metric)]
        assert found == [
            ("took_count", "counter", None, 6.0),
            ("took_sum", "counter", None, 12.5),
            ("took_max", "gauge", None, 9.0),
            ("took_bucket", "counter", "1.0", 1.0),
            ("took_bucket", "counter", "2.5", 3.0),
            ("took_bucket", "counter", "+Inf", 6.0),
        ]

    def test_exponential_histogram(self) -> None:
        metric = Metric(name="took")
        metric.exponential_histogram.aggregation_temporality = self.delta
        point = metric.exponential_histogram.data_points.add(count=10, scale=0, zero_count=1, zero_threshold=0)
        point.positive.offset = 1
        point.positive.bucket_counts.extend([2, 0, 3])
        point.negative.bucket_counts.extend([4])
        found = {labels["le"]: value for name, _, labels, _, value in of_otlp(metric) if name == "took_bucket"}
        assert found == {"-1.0": 4.0, "0.0": 5.0, "4.0": 7.0, "16.0": 10.0, "+Inf": 10.0}

    @pytest.mark.parametrize(
        ("scale", "offset", "expected"),
        [
            (-10, 0, {"0.0": 1.0, "+Inf": 3.0}),  # (1, 2^1024]: beyond what a float holds
            (-10, -1, {"0.0": 1.0, "1.0": 3.0, "+Inf": 3.0}),
            (0, 2_000_000_000, {"0.0": 1.0, "+Inf": 3.0}),
            (-(2**31), 5, {"0.0": 1.0, "+Inf": 3.0}),
            (20, 0, {"0.0": 1.0, repr(2.0**2.0**-20): 3.0, "+Inf": 3.0}),
        ],
    )
    def test_exponential_histograms_of_any_scale(self, scale: int, offset: int, expected: dict[str, float]) -> None:
        metric = Metric(name="took")
        metric.exponential_histogram.aggregation_temporality = self.delta
        point = metric.exponential_histogram.data_points.add(count=3, scale=scale, zero_count=1)
        point.positive.offset = offset
        point.positive.bucket_counts.extend([2])
        found = {labels["le"]: value for name, _, labels, _, value in of_otlp(metric) if name == "took_bucket"}
        assert found == expected

    def test_summary(self) -> None:
        metric = Metric(name="took")
        point = metric.summary.data_points.add(count=2, sum=3)
        point.quantile_values.add(quantile=0.5, value=1.5)
        found = [(name, labels.get("quantile"), value) for name, _, labels, _, value in of_otlp(metric)]
        assert found == [("took_count", None, 2.0), ("took_sum", None, 3.0), ("took", "0.5", 1.5)]

    @pytest.mark.parametrize("read", [read_json, read_protobuf])
    def test_what_is_no_request_is_400(self, read: Any) -> None:
        for body in (b"\xff\xff", b"{"):
            with pytest.raises(Problem) as caught:
                list(read(body, NOW))
            assert caught.value.status == 400


class TestStatsD:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("hits:2|c", [("hits", "counter", {}, 2.0)]),
            ("hits:2|c|@0.1", [("hits", "counter", {}, 20.0)]),
            ("took:3.5|ms", [("took", "histogram", {}, 3.5)]),
            ("took:3.5:4|h", [("took", "histogram", {}, 3.5), ("took", "histogram", {}, 4.0)]),
            ("took:3|h|@0.5|#host:a,slow", [("took", "histogram", {"host": "a", "slow": "true"}, 3.0)]),
            ("took:1|d", [("took", "histogram", {}, 1.0)]),
            ("temp:-5|g", [("temp", "gauge", {}, -5.0)]),
        ],
    )
    def test_types(self, line: str, expected: list[tuple[Any, ...]]) -> None:
        assert [(*of(point)[:3], point.value) for point in StatsD().take(line, NOW)] == expected

    def test_gauges_may_come_as_changes(self) -> None:
        statsd = StatsD()
        lines = ["temp:10|g", "temp:+2|g", "temp:-5|g", "other:+1|g"]
        values = [point.value for line in lines for point in statsd.take(line, NOW)]
        assert values == [10.0, 12.0, 7.0, 1.0]

    def test_sets_are_counted(self) -> None:
        statsd = StatsD()
        for line in ("users:ann|s", "users:bob|s", "users:ann|s", "users:ann|s|#host:a"):
            assert statsd.take(line, NOW) == []
        found = [(dict(point.series.labels), point.value) for point in statsd.sets(NOW)]
        assert found == [({}, 2.0), ({"host": "a"}, 1.0)]
        assert statsd.sets(NOW) == []

    @pytest.mark.parametrize(
        "line",
        ["", "hits", "hits:1", "hits:1|x", "hits:a|c", "hits:nan|g", "hits:1|c|@0", "hits:1|c|@2", ":1|c", "a:|g"],
    )
    def test_bad_lines(self, line: str) -> None:
        with pytest.raises(InvalidPoint):
            StatsD().take(line, NOW)


class TestPreparer:
    @pytest.mark.parametrize("count", [1, SMALL_LINES, SMALL_LINES + 1, 1000])
    def test_every_point_goes_to_the_partition_of_its_series_in_order(self, count: int) -> None:
        points = [Point(series_of(f"m{at % 7}", "gauge", {}), NOW, float(at)) for at in range(count)]
        prepared = PointPreparer(100).prepare(map(Numbered, range(count), points), NOW, BOUNDS)
        assert prepared.accepted == count
        log = [Record(at, one.event_time, NOW, one.value) for at, one in enumerate(prepared.records)]
        log += [Record(at, NOW, NOW, line.json) for at, line in enumerate(prepared.lines, len(log))]
        read, series, rejects = decode_points(log)
        assert rejects == []
        found: dict[str, list[float]] = {}
        for identity, value in zip(read["series"].to_pylist(), read["value"].to_pylist(), strict=True):
            found.setdefault(series[identity].name, []).append(value)
        assert found == {f"m{at}": [float(value) for value in range(at, count, 7)] for at in range(min(count, 7))}
        for record in prepared.records:
            assert record.rows <= BOUNDS.rows
            series = decode_points([Record(0, NOW, NOW, record.value)]).series
            assert {one.shard % BOUNDS.partitions for one in series.values()} == {record.partition}
        for line in prepared.lines:
            assert line.shard == next(one.series.shard for one in points if encode_point(one) == line.json)

    def test_what_is_beyond_the_cap_is_told_line_by_line(self) -> None:
        points = [Point(series_of("m", "gauge", {"id": str(at % 5)}), NOW, 0.0) for at in range(10)]
        prepared = PointPreparer(3).prepare(map(Numbered, range(1, 11), points), NOW, BOUNDS)
        assert prepared.accepted == 6
        assert [error.line for error in prepared.errors] == [4, 5, 9, 10]
        assert "as many as are allowed" in prepared.errors[0].reason


def test_the_cap_is_of_a_day_and_of_a_metric() -> None:
    cap = SeriesCap(2)
    one, two, three, other = (series_of(name, "gauge", {"id": str(at)}) for at, name in enumerate("aaab"))
    for series in (one, two, one, other):
        cap.admit(series, NOW)
    with pytest.raises(InvalidPoint):
        cap.admit(three, NOW)
    cap.admit(three, NOW + DAY_MS)


def test_nobody_sends_canaries_and_the_platform_may_send_its_health() -> None:
    lines = b'{"name":"tidewatch_canary","kind":"counter","value":1}\n{"name":"tidewatch_lag_records","value":1}'
    prepared = PointPreparer(3).of(read_points)(lines, NOW, BOUNDS)
    assert [(error.line, error.field, error.reason) for error in prepared.errors] == [
        (1, "name", "tidewatch_canary is the platform's own; it cannot be sent")
    ]
    assert prepared.accepted == 1


class TestOnce:
    def lines(self, count: int) -> bytes:
        return b"\n".join(b'{"name":"m","value":%d,"labels":{"n":"%d"}}' % (at, at % 7) for at in range(count))

    @pytest.mark.parametrize("count", [1, SMALL_LINES + 1, 500])
    def test_a_body_with_a_key_is_one_record_of_the_keys_partition(self, count: int) -> None:
        prepare = PointPreparer(1000).of(read_points)
        found = {
            key: prepare(self.lines(count), NOW, BOUNDS._replace(once=key)) for key in ("job-1", "job-2", "job-17")
        }
        for key, prepared in found.items():
            (record,) = prepared.records
            assert (record.once, record.rows, prepared.lines) == (key, count, [])
            decoded = decode_points([Record(0, NOW, NOW, record.value)])
            assert decoded.points["value"].to_pylist() == list(range(count))
        again = prepare(self.lines(3), NOW, BOUNDS._replace(once="job-17"))
        assert again.records[0].partition == found["job-17"].records[0].partition
        assert len({prepared.records[0].partition for prepared in found.values()}) > 1

    def test_a_body_too_large_for_one_record_is_413(self) -> None:
        with pytest.raises(Problem) as caught:
            PointPreparer(1000).of(read_points)(self.lines(100), NOW, BOUNDS._replace(once="a", record_bytes=100))
        assert caught.value.status == 413
