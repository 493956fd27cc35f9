"""Points of remote write and OTLP, and snappy, in which the former come: what each becomes, what is refused."""

import struct
from typing import Any

import cramjam
import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from api.collect import remote_write
from api.collect.decompress import decompress
from api.collect.otlp import read_json, read_protobuf
from api.problems import Problem
from contracts.times import FUTURE_MS
from tests.unit.found_points import NOW, plain


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
