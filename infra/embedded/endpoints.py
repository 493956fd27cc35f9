"""The supervisor's own HTTP: /healthz, /readyz, /status and /metrics."""

import json
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

State = dict[str, Any]


class Metrics:
    """Prometheus' view of the supervisor's state, made when it is asked for."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        state = self._state()
        ready = GaugeMetricFamily("tidewatch_ready", "1 when the part answers or the step is done.", labels=["link"])
        up = GaugeMetricFamily("tidewatch_part_up", "1 when the part's process lives.", labels=["part"])
        restarts = CounterMetricFamily("tidewatch_part_restarts", "Deaths of the part's process.", labels=["part"])
        memory = GaugeMetricFamily("tidewatch_part_resident_bytes", "Memory of all its processes.", labels=["part"])
        lag = GaugeMetricFamily("tidewatch_lag_records", "Records not committed by the pipeline.", labels=["pipeline"])
        fresh = GaugeMetricFamily(
            "tidewatch_freshness_seconds", "For how long the oldest of them waits.", labels=["pipeline"]
        )
        for link in state["links"]:
            ready.add_metric([link["name"]], float(link["ready"]))
            if link["kind"] == "part":
                up.add_metric([link["name"]], float(link["pid"] is not None))
                restarts.add_metric([link["name"]], link["restarts"])
                memory.add_metric([link["name"]], link["resident_bytes"])
        for pipeline, records in state["lag"].items():
            lag.add_metric([pipeline], records)
        for pipeline, seconds in state["freshness"].items():
            fresh.add_metric([pipeline], seconds)
        return [ready, up, restarts, memory, lag, fresh]


def serve(host: str, port: int, state: Callable[[], State]) -> ThreadingHTTPServer:
    """Answers from threads of its own until `shutdown()`. `state` is that of `Supervisor.state`."""
    registry = CollectorRegistry()
    registry.register(Metrics(state))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), "text/plain; version=0.0.4")
            elif self.path == "/healthz":
                self._answer(200, b'{"alive": true}', "application/json")
            elif self.path in ("/readyz", "/status"):
                content = state()
                broken = self.path == "/readyz" and not content["ready"]
                self._answer(503 if broken else 200, json.dumps(content).encode(), "application/json")
            else:
                self._answer(404, b'{"paths": ["/healthz", "/readyz", "/status", "/metrics"]}', "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: health checks are not worth a line."""

    server = ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
