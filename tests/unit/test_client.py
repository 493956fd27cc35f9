"""The push client against a server that answers as a test tells it to."""

import gzip
import json
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client import Client
from client import sender as sending
from contracts.point_codec import encode_points_arrow
from contracts.points import LONGEST_KEY, LONGEST_NAME, LONGEST_VALUE, MOST_LABELS, decode_point
from contracts.settings import Settings

PATIENCE = 120.0


LOST = 504


class Platform(ThreadingHTTPServer):
    """Keeps the points of every call it takes, once a key. `answers` are the statuses of the next calls, then 202;
    a call that is answered by LOST is taken nevertheless.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.points: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.calls: list[float] = []
        self.keys: list[str] = []
        self.bodies: list[bytes] = []
        self.taken: set[str] = set()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:  # noqa: N802  # its base names it
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append(time.monotonic())
        self.server.headers.append(dict(self.headers))
        status = self.server.answers.pop(0) if self.server.answers else 202
        points = [json.loads(line) for line in body.split(b"\n")]
        key = self.headers["Idempotency-Key"]
        if status in (202, LOST) and key not in self.server.taken:
            self.server.points += points
            self.server.taken.add(key)
        self.server.keys.append(key)
        self.server.bodies.append(body)
        answer = json.dumps({"accepted": len(points), "rejected": 0}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    server = Platform()
    yield server
    server.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_WAIT_SECONDS", 0.02)
    monkeypatch.setattr(sending, "LONGEST_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(sending, "INTERVAL_SECONDS", 0.05)


def test_points_arrive_as_they_were_given(platform: Platform) -> None:
    before = time.time_ns() // 1_000_000
    client = Client(platform.url, labels={"host": "a"}, token="secret")  # noqa: S106  # no real one
    client.gauge("queue", 12)
    client.counter("calls", route="/")
    client.observe("took", 2.5)
    assert client.flush(PATIENCE)
    client.close()
    rows = [(point["kind"], point["name"], point["value"], point["labels"]) for point in platform.points]
    assert rows == [
        ("gauge", "queue", 12.0, {"host": "a"}),
        ("counter", "calls", 1.0, {"host": "a", "route": "/"}),
        ("histogram", "took", 2.5, {"host": "a"}),
    ]
    assert all(before <= point["time"] <= time.time_ns() // 1_000_000 for point in platform.points)
    assert platform.headers[0]["Authorization"] == "Bearer secret"
    assert client.counts == (3, 0, 0)


def test_timers_observe_also_what_raises(platform: Platform) -> None:
    client = Client(platform.url)

    @client.timed("took", call="twice")
    def work(number: int) -> int:
        """Its words."""
        return 1 // number

    assert (work(1), work.__doc__) == (1, "Its words.")
    with pytest.raises(ZeroDivisionError):
        work(0)
    with client.timer("block"):
        pass
    client.close(PATIENCE)
    assert [point["name"] for point in platform.points] == ["took", "took", "block"]
    assert all(0 <= point["value"] < 10_000 for point in platform.points)


@pytest.mark.parametrize("value", [math.nan, math.inf, "many", None, 10**400])
def test_what_is_no_number_is_dropped_without_a_word(platform: Platform, value: Any) -> None:
    client = Client(platform.url)
    client.gauge("odd", value)
    client.gauge("label", 1, host=object())  # type: ignore[arg-type]  # on purpose
    client.close(PATIENCE)
    assert platform.points == []
    assert client.counts.dropped == 2


def test_failures_are_tried_again_later_and_later(platform: Platform) -> None:
    platform.answers = [503, 500, 429, 408]
    client = Client(platform.url)
    client.gauge("queue", 1)
    assert client.flush(PATIENCE)
    client.close()
    assert [point["name"] for point in platform.points] == ["queue"]
    assert len(platform.calls) == 5
    assert client.counts == (1, 0, 0)


def test_points_whose_answer_was_lost_count_once(platform: Platform) -> None:
    platform.answers = [LOST, 503]
    client = Client(platform.url)
    client.gauge("queue", 1)
    deadline = time.monotonic() + PATIENCE
    while not platform.keys:
        assert time.monotonic() < deadline, "nothing is sent"
        time.sleep(0.001)
    client.gauge("queue", 2)  # after the batch was made: it must not join it
    assert client.flush(PATIENCE)
    client.close()
    assert [point["value"] for point in platform.points] == [1, 2]
    assert len(platform.calls) == 4
    assert len(set(platform.keys[:3])) == 1
    assert platform.keys[3] != platform.keys[0]
    assert client.counts == (2, 0, 0)


def test_a_key_outlives_the_program(platform: Platform, tmp_path: Path) -> None:
    platform.answers = [LOST] * 3 + [503] * 10_000  # whenever this thread goes on
    first = Client(platform.url, spill=tmp_path)
    first.gauge("queue", 1)
    deadline = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("*.ndjson")):
        assert time.monotonic() < deadline, "it is not kept"
        time.sleep(0.01)
    first.close(0.1)
    platform.answers = []
    second = Client(platform.url, spill=tmp_path)
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, "the folder is not sent"
        time.sleep(0.01)
    second.close(PATIENCE)
    assert [point["value"] for point in platform.points] == [1]
    assert len(set(platform.keys)) == 1


def test_a_call_with_the_longest_labels_fits_into_a_record(platform: Platform) -> None:
    labels = {f"{number:03}".rjust(LONGEST_KEY, "k"): "ż" * LONGEST_VALUE for number in range(MOST_LABELS)}
    client = Client(platform.url, labels=labels)
    for number in range(200):
        client.gauge(f"{number:03}".rjust(LONGEST_NAME, "n"), number)
    assert client.flush(PATIENCE)
    client.close()
    assert len(platform.points) == 200
    assert len(platform.calls) > 1
    largest = max(platform.bodies, key=len)
    points = [decode_point(line, time.time_ns() // 1_000_000) for line in largest.split(b"\n")]
    assert len(encode_points_arrow(points)) < Settings().kafka.max_record_bytes // 2


def test_what_is_refused_is_not_sent_again(platform: Platform) -> None:
    platform.answers = [400]
    client = Client(platform.url)
    client.gauge("queue", 1)
    assert client.flush(PATIENCE)
    client.close()
    assert len(platform.calls) == 1
    assert client.counts == (0, 1, 0)


def test_a_platform_that_is_away_costs_a_bounded_buffer_and_no_time() -> None:
    client = Client("http://127.0.0.1:1", buffer=100)
    started = time.monotonic()
    for number in range(1000):
        client.gauge("queue", number)
    assert time.monotonic() - started < 10  # none waited for an attempt; a hundredth of it where nothing else is to do
    client.close(0.1)
    sent, refused, dropped = client.counts
    assert (sent, refused, dropped) == (0, 0, 1000)


def test_what_could_not_be_sent_is_kept_in_the_folder_for_the_next_program(platform: Platform, tmp_path: Path) -> None:
    first = Client("http://127.0.0.1:1", spill=tmp_path / "spill")
    for number in range(10):
        first.gauge("queue", number)
    first.close(0.1)
    assert first.counts.dropped == 0
    second = Client(platform.url, spill=tmp_path / "spill")
    second.gauge("queue", 10)
    deadline = time.monotonic() + PATIENCE
    while len(platform.points) < 11:
        assert time.monotonic() < deadline, "the folder is not sent"
        time.sleep(0.01)
    second.close(PATIENCE)
    assert [point["value"] for point in platform.points] == list(range(11))
    assert list((tmp_path / "spill").iterdir()) == []


@pytest.mark.parametrize("keeps", [True, False])
def test_a_program_that_ends_while_a_call_hangs_keeps_or_counts_its_points(tmp_path: Path, keeps: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        metrics = Client(f"http://127.0.0.1:{silent.getsockname()[1]}", spill=tmp_path if keeps else None)
        for number in range(10):
            metrics.gauge("cpu", number)
        metrics.close(0.2)
        kept = sum(len(file.read_bytes().splitlines()) for file in tmp_path.iterdir())
        assert (kept, metrics.counts.dropped) == ((10, 0) if keeps else (0, 10))


def test_a_long_outage_goes_to_the_folder_up_to_its_bound(tmp_path: Path) -> None:
    client = Client("http://127.0.0.1:1", spill=tmp_path, spill_bytes=2000)
    for number in range(100):
        client.gauge("queue", number)
    client.close(0.1)
    held = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert held <= 2000
    assert client.counts.dropped == 100  # one batch, which is larger than the bound


def test_a_forked_child_sends_its_own_points_only(platform: Platform) -> None:
    client = Client(platform.url)
    client.gauge("parent", 1)
    child = os.fork()
    if child == 0:
        client.gauge("child", 1)
        os._exit(0 if client.flush(PATIENCE) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert client.flush(PATIENCE)
    client.close()
    assert sorted(point["name"] for point in platform.points) == ["child", "parent"]
