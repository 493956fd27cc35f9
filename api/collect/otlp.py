"""OTLP/HTTP metrics: `POST /v1/metrics` with an `ExportMetricsServiceRequest` in protobuf or JSON."""

from typing import Any, Final

from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from api.asgi import Receive, Response, Scope, header
from api.collect.bulk import BulkSender
from api.collect.otlp_points import points_of
from api.collect.point_parse import Found, PointPreparer
from api.collect.prepared import Prepared
from api.problems import Problem, invalid

_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"


class OtlpHandler:
    """200 once every valid point is durable; the answer, in the format of the request, counts those that were not."""

    def __init__(self, sender: BulkSender, preparer: PointPreparer) -> None:
        self._sender = sender
        self._prepare = {_PROTOBUF: preparer.of(read_protobuf), _JSON: preparer.of(read_json)}

    async def __call__(self, scope: Scope, receive: Receive) -> Response:
        kind = header(scope, b"content-type").decode("latin-1").partition(";")[0].strip().lower()
        if kind not in self._prepare:
            raise Problem(415, "unsupported-type", f"content-type must be {_PROTOBUF} or {_JSON}")
        return _reply(await self._sender.take(scope, receive, self._prepare[kind]), kind)


def read_protobuf(body: bytes, now: int) -> Found:
    """The points of a request in protobuf; Problem 400 when it is none."""
    try:
        return points_of(ExportMetricsServiceRequest.FromString(body), now)
    except DecodeError as error:
        raise invalid("", f"not an ExportMetricsServiceRequest: {error}") from None


def read_json(body: bytes, now: int) -> Found:
    """The points of a request in JSON; Problem 400 when it is none."""
    try:
        return points_of(Parse(body, ExportMetricsServiceRequest(), ignore_unknown_fields=True), now)
    except (ParseError, UnicodeError, RecursionError) as error:
        raise invalid("", f"not an ExportMetricsServiceRequest: {error}") from None


def _reply(prepared: Prepared, kind: str) -> Response:
    answer: Any = ExportMetricsServiceResponse()
    if prepared.errors:
        number, field, reason = prepared.errors[0]
        answer.partial_success.rejected_data_points = len(prepared.errors)
        answer.partial_success.error_message = f"data point {number}: {field}: {reason}"
    body = answer.SerializeToString() if kind == _PROTOBUF else MessageToJson(answer, indent=None).encode()
    return Response(200, body, ((b"content-type", kind.encode()),))
