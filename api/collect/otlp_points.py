"""What an OTLP data point becomes. Pure.

A gauge, and a sum that counts from a start, are gauges; a sum of what happened since the last export is a counter. A
histogram becomes what Prometheus makes of one: `<name>_count`, `<name>_sum` and `<name>_bucket` with the label `le`,
whose value counts everything up to that bound; a summary has `<name>` with the label `quantile` in place of buckets.
"""

from collections.abc import Iterator
from itertools import accumulate
from math import inf, isfinite, ldexp
from typing import Any, Final, NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags

from api.collect.point_parse import Numbered
from api.collect.prepared import LineError
from contracts.points import InvalidPoint, Point, judge_time, series_of

_DELTA: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_NO_VALUE: Final = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_NANOSECONDS: Final = 1_000_000  # in a millisecond

Labels = dict[str, str]


class Value(NamedTuple):
    """One of the values that a data point holds: what is appended to its name, labels of its own."""

    suffix: str
    labels: Labels
    value: float


def points_of(request: Any, now: int) -> Iterator[Numbered | LineError]:
    """The points of an `ExportMetricsServiceRequest`, numbered by data point; attributes, also of the resource, are
    labels. Values that are no finite number are left out."""
    number = 0
    for resource in request.resource_metrics:
        shared = _labels(resource.resource.attributes)
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            data = getattr(metric, metric.WhichOneof("data") or "gauge")
            kind = "counter" if getattr(data, "aggregation_temporality", None) == _DELTA else "gauge"
            for sent in data.data_points:
                number += 1
                try:
                    yield from (Numbered(number, point) for point in _points(metric.name, kind, sent, shared, now))
                except InvalidPoint as error:
                    yield LineError(number, error.field, error.reason)


def _points(name: str, kind: str, sent: Any, shared: Labels, now: int) -> list[Point]:
    """All of a data point's or none; a Python list, so that none leaves before the last was judged."""
    if sent.flags & _NO_VALUE:
        return []
    time = judge_time(sent.time_unix_nano // _NANOSECONDS or None, now)
    labels = shared | _labels(sent.attributes)
    return [
        Point(series_of(name + one.suffix, _kind(kind, one), labels | one.labels), time, one.value)
        for one in _values(sent)
        if isfinite(one.value)
    ]


def _kind(kind: str, one: Value) -> str:
    return "gauge" if one.suffix in ("_min", "_max") else kind


def _values(sent: Any) -> Iterator[Value]:
    match type(sent).__name__:
        case "NumberDataPoint":
            yield Value("", {}, float(sent.as_int if sent.WhichOneof("value") == "as_int" else sent.as_double))
        case "HistogramDataPoint":
            yield from _totals(sent)
            bounds = [*map(repr, sent.explicit_bounds), "+Inf"]
            counts = accumulate(sent.bucket_counts)
            yield from (Value("_bucket", {"le": le}, float(count)) for le, count in zip(bounds, counts, strict=False))
        case "ExponentialHistogramDataPoint":
            yield from _totals(sent)
            yield from _exponential(sent)
        case _:
            yield from _totals(sent)
            yield from (Value("", {"quantile": repr(one.quantile)}, one.value) for one in sent.quantile_values)


def _totals(sent: Any) -> Iterator[Value]:
    yield Value("_count", {}, float(sent.count))
    for suffix in ("sum", "min", "max"):
        # A summary has neither minimum nor maximum, and a sum always; a histogram may leave out each of the three.
        if suffix in sent.DESCRIPTOR.fields_by_name and (
            type(sent).__name__ == "SummaryDataPoint" or sent.HasField(suffix)
        ):
            yield Value(f"_{suffix}", {}, getattr(sent, suffix))


def _exponential(sent: Any) -> Iterator[Value]:
    """Bucket i of the positive ones holds (base^i, base^(i+1)], base = 2^(2^-scale), as OpenTelemetry defines it."""
    negative = [
        (-_edge(sent.scale, sent.negative.offset + at), count)
        for at, count in enumerate(sent.negative.bucket_counts)
        if count
    ]
    positive = [
        (_edge(sent.scale, sent.positive.offset + at + 1), count)
        for at, count in enumerate(sent.positive.bucket_counts)
        if count
    ]
    buckets = [*reversed(negative), (sent.zero_threshold, sent.zero_count), *positive]
    counts = accumulate(count for _, count in buckets)
    for (bound, _), count in zip(buckets, counts, strict=True):
        if isfinite(bound):
            yield Value("_bucket", {"le": repr(bound)}, float(count))
    yield Value("_bucket", {"le": "+Inf"}, float(sent.count))


def _edge(scale: int, index: int) -> float:
    """base^index; infinite when it is beyond what a float holds, as the outer edge of a coarse scale may be."""
    try:
        edge: float = 2.0 ** ldexp(float(index), -scale)
    except OverflowError:
        return inf if index > 0 else 0.0
    return edge


def _labels(attributes: Any) -> Labels:
    """Attributes with a plain value; lists and mappings are left out, as is what is empty."""
    found = {one.key: _text(one.value) for one in attributes}
    return {key: text for key, text in found.items() if text}


def _text(value: Any) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return "true" if value.bool_value else "false"
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return repr(value.double_value)
        case _:
            return ""
