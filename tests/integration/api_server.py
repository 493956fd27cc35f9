"""`python -m api` as a process, and calls to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from contracts.settings import Settings
from tests.conftest import CHECKOUT, free_ports

START_SECONDS = 120.0
STOP_SECONDS = 60.0
CALL_SECONDS = 120.0
DRAIN_SECONDS = 10.0  # what the API promises


@dataclass(frozen=True)
class Answer:
    """What came back, and the seconds it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ApiServer:
    """The API with the run's settings and what is changed by `environment`; on a port of its own."""

    def __init__(self, settings: Settings, **environment: str) -> None:
        (self.port,) = free_ports(1)
        self._host = settings.host
        given = {"TIDEWATCH_API__PORT": str(self.port), **environment}
        self._process = subprocess.Popen([sys.executable, "-m", "api"], cwd=CHECKOUT, env={**os.environ, **given})
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._process.poll() is None, "the api ended"
            assert time.monotonic() < deadline, "the api does not answer"
            try:
                if self.call("GET", "/healthz").status == 200:
                    return
            except OSError:
                time.sleep(0.05)

    def call(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        started = time.monotonic()
        connection = http.client.HTTPConnection(self._host, self.port, timeout=CALL_SECONDS)
        try:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        given = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, given, data, time.monotonic() - started)

    def workers(self) -> list[psutil.Process]:
        """The processes that serve requests."""
        return psutil.Process(self._process.pid).children()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """The exit status, once it has ended."""
        return self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        if self._process.poll() is None:
            self.terminate()
            self.wait()
