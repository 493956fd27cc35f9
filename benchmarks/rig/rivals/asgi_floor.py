"""`python -m benchmarks.rig.rivals.asgi_floor PORT`: reads the body and answers 204: the share of HTTP."""

import sys
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from infra.embedded.api import Api
from infra.embedded.part import http_reason

STATUS: Final = {"/user_tags": 204}


class Floor(Api):
    """The floor as a part that can be started in the API's place."""

    name = "floor"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.rig.rivals.asgi_floor", str(self.settings.api.port)]

    def ready(self) -> str | None:
        return http_reason(f"http://{self.settings.host}:{self.settings.api.port}/healthz")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Takes bodies that come whole, as those of tags do."""
    message = await receive()
    if scope["type"] == "lifespan":
        await send({"type": f"{message['type']}.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": STATUS.get(scope["path"], 200), "headers": []})
    await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serves on loopback as our API is served, until SIGTERM."""
    Server(
        "benchmarks.rig.rivals.asgi_floor:app",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        backpressure=8192,
    ).serve()


if __name__ == "__main__":
    main()
