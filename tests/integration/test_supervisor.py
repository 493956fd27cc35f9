"""The supervisor, over real processes that are quick to start: shells that sleep."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from infra.embedded import instance
from infra.embedded.part import PartError
from infra.embedded.ports import describe, is_taken
from tests.conftest import CHECKOUT, free_ports
from tests.fetch import fetch

# Two parts: `kafka` with a child process of its own, as Flink has, and `api`, which needs the step `topics`.
PROGRAM = """
import sys, threading
from contracts.settings_source import load
from infra.embedded.part import Part
from infra.embedded.steps import Step
from infra.embedded.supervisor import Supervisor
from infra.embedded.watched import Watched

class Shell(Part):
    def __init__(self, settings, name):
        super().__init__(settings)
        self.name = name
    def command(self):
        return ["sh", "-c", "sleep 1000 & echo began; wait"]
    def ready(self):
        return None
    def ports(self):
        return {}
    def version(self):
        return "1"

attempts = []
def step():
    attempts.append(1)
    if len(attempts) < 3:
        raise OSError(f"attempt {len(attempts)} failed")

settings = load()
parts = [Watched(Shell(settings, "kafka")), Watched(Shell(settings, "api"), ("topics",))]
Supervisor(settings, parts, [Step("topics", step, ("kafka",))], [["api"], ["kafka"]]).run()
"""
DEADLINE = 120.0


class Stack:
    def __init__(self, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self.folder = folder
        config = folder / "test.yaml"
        config.write_text(yaml.safe_dump({"state_dir": str(folder), "supervisor": {"port": self.port}}))
        self.log = open(folder / "supervisor.out", "wb")  # noqa: SIM115  # closed by `close`
        environment = {**os.environ, "TIDEWATCH_CONFIG": str(config), "PYTHONPATH": str(CHECKOUT)}
        self.process = subprocess.Popen(  # noqa: S603  # this interpreter
            [sys.executable, "-c", PROGRAM], env=environment, cwd=CHECKOUT, stdout=self.log, stderr=self.log
        )

    def get(self, path: str) -> tuple[int, Any]:
        return fetch(self.port, path)

    def state(self) -> dict[str, Any]:
        status, body = self.get("/status")
        state: dict[str, Any] = json.loads(body) if status == 200 else {"ready": False, "links": []}
        return state

    def link(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next((link for link in self.state()["links"] if link["name"] == name), {})
        return found

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, (self.state(), (self.folder / "supervisor.out").read_text())
            assert self.process.poll() is None, (self.folder / "supervisor.out").read_text()
            time.sleep(0.05)

    def groups(self) -> list[int]:
        return [link["pid"] for link in self.state()["links"] if link.get("pid")]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    stack.close()


def members(groups: list[int]) -> list[int]:
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) in groups and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def gone(groups: list[int]) -> bool:
    deadline = time.monotonic() + DEADLINE
    while members(groups) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not members(groups)


def test_everything_becomes_ready_in_its_order(stack: Stack) -> None:
    stack.until(lambda: bool(stack.state()["ready"]))
    assert stack.get("/readyz")[0] == 200
    assert stack.get("/healthz")[0] == 200
    events = (stack.folder / "supervisor.out").read_text()
    assert events.index("attempt 2 failed") < events.index("api")
    log = stack.folder / "logs" / "kafka.log"
    stack.until(lambda: log.read_text() == "began\n")  # the shell may come to it a moment later


def test_a_killed_part_is_started_again_without_what_it_left(stack: Stack) -> None:
    stack.until(lambda: bool(stack.state()["ready"]))
    killed = stack.link("kafka")["pid"]
    os.kill(killed, signal.SIGKILL)
    stack.until(lambda: {"restarts": 1, "ready": True}.items() <= stack.link("kafka").items())
    assert stack.link("kafka")["pid"] != killed
    assert not members([killed])
    assert stack.link("api")["restarts"] == 0
    assert 'tidewatch_part_restarts_total{part="kafka"} 1.0' in stack.get("/metrics")[1]


def test_sigterm_leaves_nothing(stack: Stack) -> None:
    stack.until(lambda: bool(stack.state()["ready"]))
    groups = stack.groups()
    stack.until(lambda: len(members(groups)) == 4)  # each shell and what it starts
    stack.process.terminate()
    assert stack.process.wait(DEADLINE) == 0
    assert not members(groups)
    assert not is_taken("127.0.0.1", stack.port)


def test_a_killed_supervisor_leaves_nothing(stack: Stack) -> None:
    stack.until(lambda: bool(stack.state()["ready"]))
    groups = stack.groups()
    stack.process.kill()
    stack.process.wait()
    assert gone(groups)


def test_one_supervisor_a_state_folder(stack: Stack) -> None:
    stack.until(lambda: bool(stack.state()["ready"]))
    second = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TIDEWATCH_CONFIG": str(stack.folder / "test.yaml"), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )
    assert "a supervisor runs on" in second.stderr
    assert stack.state()["ready"]


def test_a_stale_pid_is_not_taken_for_the_supervisor(tmp_path: Path) -> None:
    assert instance.this_process(os.getpid()).lives()
    boot, ticks = instance.this_process(os.getpid())[1:]
    assert not instance.Running(os.getpid(), boot, ticks + 1).lives()
    assert not instance.Running(os.getpid(), "another boot", ticks).lives()
    assert not instance.Running(2**22 - 1, boot, ticks).lives()


def test_a_taken_port_is_named_with_its_setting_and_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_taken("127.0.0.1", port)
        text = describe("kafka.port", port)
    assert str(os.getpid()) in text
    assert "TIDEWATCH_KAFKA__PORT" in text
    assert not is_taken("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(PartError, match=r"cannot listen on 192\.0\.2\.1"):
        is_taken("192.0.2.1", 1)
