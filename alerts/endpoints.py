"""The service's own HTTP: /healthz, /readyz and /metrics."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from alerts import metrics
from alerts.service import Service

STUCK_MS: Final = 60_000  # a turn that takes so long is not coming to its end
JSON: Final = "application/json"


def serve(host: str, port: int, service: Service) -> ThreadingHTTPServer:
    """Answers from threads of its own until `shutdown()`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(metrics.REGISTRY), CONTENT_TYPE_LATEST)
            elif self.path == "/healthz":
                healthy = service.idle_ms < STUCK_MS
                self._answer(200 if healthy else 503, json.dumps({"healthy": healthy}).encode(), JSON)
            elif self.path == "/readyz":
                broken = [name for name, reason in service.reasons.items() if reason is not None]
                document = {"ready": not broken, "leads": service.leads, "links": service.reasons}
                self._answer(503 if broken else 200, json.dumps(document).encode(), JSON)
            else:
                self._answer(404, b'{"paths": ["/healthz", "/readyz", "/metrics"]}', JSON)

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
