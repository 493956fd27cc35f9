"""`python -m benchmarks.rig.rivals.flask_collect`: the collector as one would write it with plain Flask, on granian.

The same validation, the same broker settings (acks=all, idempotent, lz4), and an answer only after the
acknowledgement. Each tag is a record; librdkafka joins them on their way, for as long as our collector does.
"""

import sys
import threading
from concurrent.futures import Future
from typing import Final

from confluent_kafka import KafkaError, Message, Producer
from flask import Flask, Response, request
from granian.constants import Interfaces
from granian.server import Server

from api.collect.lane import partition_of
from api.collect.producer import configuration
from api.services import wall_clock
from contracts import lines
from contracts.settings import Settings
from contracts.settings_source import load
from contracts.tags import InvalidTag, UserTag, check_not_future, decode_tag, encode_tag, event_time
from infra.embedded.api import Api
from infra.embedded.part import http_reason

WORKERS: Final = 2  # processes; on 2 cores, 128 or 256 threads in each were slower
THREADS: Final = 64
TIMEOUT: Final = 15.0  # seconds for an acknowledgement


class FlaskCollector(Api):
    """The rival as a part that can be started in the API's place."""

    name = "flask"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.rig.rivals.flask_collect"]

    def ready(self) -> str | None:
        return http_reason(f"http://{self.settings.host}:{self.settings.api.port}/healthz")


class Log:
    """The topic for tags, from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.user_tags
        self._producer = Producer({**configuration(settings), "linger.ms": settings.api.linger_milliseconds})
        threading.Thread(target=self._poll, daemon=True).start()

    def append(self, tag: UserTag, time: int) -> "Future[None]":
        """The future is done once the broker holds the tag."""
        future: Future[None] = Future()

        def settle(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(ConnectionError(error.str()))

        place = partition_of(tag.cookie, self._topic.partitions)
        self._producer.produce(
            self._topic.name, encode_tag(tag), partition=place, timestamp=max(time, 1), on_delivery=settle
        )
        return future

    def _poll(self) -> None:
        while True:
            self._producer.poll(0.05)


def make_app() -> Flask:
    """The app of a worker process."""
    app = Flask("rival")
    log = Log(load())

    @app.post("/user_tags")
    def collect() -> Response:
        tag = decode_tag(request.get_data())
        time = event_time(tag)
        check_not_future(time, wall_clock())
        log.append(tag, time).result(TIMEOUT)
        return Response(status=204)

    @app.post("/v1/user-tags")
    def collect_bulk() -> Response:
        found = lines.read(request.get_data(), wall_clock())
        waiting = [log.append(tag, time) for tag, time in zip(found.tags, found.times, strict=True)]
        for future in waiting:
            future.result(TIMEOUT)
        return Response(f'{{"accepted":{len(waiting)},"rejected":{len(found.bad)}}}', 202, mimetype="application/json")

    @app.get("/healthz")
    def healthy() -> Response:
        return Response("{}", mimetype="application/json")

    @app.errorhandler(InvalidTag)
    def invalid(error: InvalidTag) -> Response:
        return Response(str(error), 400)

    return app


def main() -> None:
    """Serves until SIGTERM."""
    settings = load()
    Server(
        "benchmarks.rig.rivals.flask_collect:make_app",
        factory=True,
        address=settings.host,
        port=settings.api.port,
        interface=Interfaces.WSGI,
        workers=WORKERS,
        blocking_threads=THREADS,
        backlog=2048,
    ).serve()


if __name__ == "__main__":
    main()
