"""Calls that schemathesis makes up from the OpenAPI document: none finds a defect, all are answered as it says."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, SerializationContext
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.settings import Settings
from stores.alerts import AlertStore
from stores.profiles import open_store
from tests.conftest import CHECKOUT, RealPart
from tests.integration.api_server import CALL_SECONDS, ApiServer

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Without the feed, which has no end.
document = schemathesis.openapi.from_path(CHECKOUT / "api" / "openapi.yaml").exclude(path="/api/v1/alerts/stream")


@schemathesis.serializer("application/x-protobuf", "application/x-ndjson")
def as_it_is(context: SerializationContext, value: Any) -> bytes:
    """Whatever was made up: mostly no protobuf, and no lines."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.fixture(scope="module")
def api(
    settings: Settings, topics: dict[str, str], clickhouse: RealPart, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("stores")
    profiles = settings.profiles.model_copy(update={"path": str(folder / "profiles")})
    open_store(settings.model_copy(update={"profiles": profiles}), writable=True).close()
    url = f"sqlite:///{folder / 'alerts.db'}"
    incidents = AlertStore(url)
    incidents.create()
    incidents.close()
    server = ApiServer(settings, TIDEWATCH_PROFILES__PATH=profiles.path, TIDEWATCH_ALERTS__STORE_URL=url)
    yield server
    server.stop()


@document.parametrize()
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_route_answers_as_described(case: Case[Any], api: ApiServer) -> None:
    deadline = time.monotonic() + CALL_SECONDS
    while True:
        answer = case.call(base_url=f"http://127.0.0.1:{api.port}", timeout=CALL_SECONDS)
        # A link that needs two seconds for its look is taken for broken; it is not for long.
        if case.path != "/readyz" or answer.status_code != 503 or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    case.validate_response(answer, checks=CHECKS)
