"""Prometheus remote-write 1.0: what a `WriteRequest` holds. Pure.

The message is described here, as Prometheus publishes it for Go only; field names and numbers are those of its
`prompb/remote.proto` and `prompb/types.proto`. Fields that are not taken (exemplars, metadata) are left out.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from api.asgi import NO_CONTENT, Response
from api.collect.point_parse import Numbered
from api.collect.prepared import LineError, Prepared
from api.problems import invalid
from contracts.points import InvalidPoint, Point, judge_time, series_of

_Field: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final = {
    "Label": [("name", 1, "string"), ("value", 2, "string")],
    "Sample": [("value", 1, "double"), ("timestamp", 2, "int64")],
    "TimeSeries": [("labels", 1, "Label"), ("samples", 2, "Sample")],
    "WriteRequest": [("timeseries", 1, "TimeSeries")],
}
_NAME: Final = "__name__"


def _described() -> Any:
    """The class of `WriteRequest`."""
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package="tidewatch", syntax="proto3")
    kinds = {"string": _Field.TYPE_STRING, "double": _Field.TYPE_DOUBLE, "int64": _Field.TYPE_INT64}
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for title, number, kind in fields:
            field = message.field.add(name=title, number=number, label=_Field.LABEL_OPTIONAL)
            if kind in kinds:
                field.type = kinds[kind]
            else:
                field.type, field.label, field.type_name = (
                    _Field.TYPE_MESSAGE,
                    _Field.LABEL_REPEATED,
                    f".tidewatch.{kind}",
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tidewatch.WriteRequest"))


WriteRequest: Final = _described()


def read(body: bytes, now: int) -> Iterator[Numbered | LineError]:
    """The samples as gauges: remote-write 1.0 does not say which series is a counter, and counters come as totals.

    Values that are no finite number are left out without an error: Prometheus marks with NaN that a series has ended.
    """
    try:
        request = WriteRequest.FromString(body)
    except DecodeError as error:
        raise invalid("", f"not a WriteRequest of remote-write 1.0: {error}") from None
    number = 0
    for sent in request.timeseries:
        labels = {label.name: label.value for label in sent.labels if label.value}
        name = labels.pop(_NAME, "")
        for sample in sent.samples:
            number += 1
            if not isfinite(sample.value):
                continue
            try:
                series = series_of(name, "gauge", labels)
                yield Numbered(number, Point(series, judge_time(sample.timestamp, now), sample.value))
            except InvalidPoint as error:
                yield LineError(number, error.field, error.reason)


def reply(prepared: Prepared) -> Response:
    """204, or Problem 400, after which Prometheus does not send again: the valid samples are durable either way."""
    if prepared.errors:
        number, field, reason = prepared.errors[0]
        raise invalid(field, f"{len(prepared.errors)} samples were refused; sample {number}: {reason}")
    return NO_CONTENT
