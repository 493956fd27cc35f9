"""The description names every route with its methods, and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import Kafka, Settings
from tests.unit.asgi_calls import Caller, with_app

NOWHERE = Kafka(bootstrap_servers="127.0.0.1:1")  # nothing listens on port 1
METHODS = {"get", "post", "put", "delete", "patch"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, kafka=NOWHERE)


def described(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, item in document["paths"].items()
        for method in item.keys() & METHODS
    }


def test_every_route_is_described(settings: Settings) -> None:
    async def calls(call: Caller) -> tuple[set[tuple[str, str]], bytes]:
        return call.app.served(), (await call("GET", "/openapi.json")).body

    routes, body = with_app(settings, calls)
    assert described(json.loads(body)) == routes
