"""The supervisor seen from outside: starting it in the background, waiting for it, asking it, stopping it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from contracts.settings import CONFIG_VARIABLE, PREFIX, Settings
from infra.embedded import instance, launch
from infra.embedded.child import rotate, tail
from infra.embedded.ports import is_taken, refuse_taken

POLL_SECONDS: Final = 0.4
ASK_SECONDS: Final = 10.0
HOPELESS_RESTARTS: Final = 3  # of one part while the stack starts
State = dict[str, Any]


class StartFailed(Exception):
    """The stack did not become ready; the message names the part and shows the end of its log. Nothing runs."""


class StopFailed(Exception):
    """Something of the stack still runs; the message says what."""


def start(settings: Settings, *, tied: bool = False) -> subprocess.Popen[bytes]:
    """Starts a supervisor with exactly these settings in the background; PartError when a port is taken.

    `tied`: it, and all it runs, dies with the calling process, even by SIGKILL; call it in the main thread then.
    """
    from cli.stack import parts

    refuse_taken(settings.host, parts(settings), {"supervisor.port": settings.supervisor.port})
    log = settings.state_path / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log)
    home = settings.home.absolute()
    command = [sys.executable, "-m", "cli", "up", "--supervise"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = {**kept, "PYTHONPATH": str(home), CONFIG_VARIABLE: str(instance.write_settings(settings))}
    with open(log, "ab") as output:
        return subprocess.Popen(  # noqa: S603  # ourselves
            launch.tied(command) if tied else command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def ask(settings: Settings) -> State | None:
    """The supervisor's state (see Supervisor.state); None when none answers."""
    url = f"http://{settings.host}:{settings.supervisor.port}/status"
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:  # noqa: S310  # our own http:// address
            state: State = json.load(answer)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return state


def wait_ready(
    settings: Settings,
    supervisor: subprocess.Popen[bytes],
    show: Callable[[State], None],
    timeout: float | None = None,
) -> State:
    """Returns the state once everything is ready, and shows it meanwhile; StartFailed otherwise, nothing stopped yet.

    `supervisor` is what `start` returned; `timeout` in seconds, by default that of the settings.
    """
    deadline = time.monotonic() + (timeout or settings.supervisor.start_timeout_seconds)
    state: State | None = None
    while True:
        state = ask(settings) or state
        if state is not None:
            show(state)
            if state["ready"]:
                return state
            hopeless = [link for link in state["links"] if link.get("restarts", 0) >= HOPELESS_RESTARTS]
            if hopeless:
                raise StartFailed(_failure(settings, hopeless[0], "does not stay up"))
        if supervisor.poll() is not None:
            log = tail(settings.state_path / "logs" / "supervisor.log")
            raise StartFailed(f"the supervisor ended with status {supervisor.returncode}:\n{log}")
        if time.monotonic() > deadline:
            raise StartFailed(_late(settings, state))
        time.sleep(POLL_SECONDS)


def _late(settings: Settings, state: State | None) -> str:
    if state is None:
        return f"the supervisor does not answer:\n{tail(settings.state_path / 'logs' / 'supervisor.log')}"
    broken = [link for link in state["links"] if not link["ready"]]
    first = next((link for link in broken if not str(link["reason"]).startswith("waiting for")), broken[0])
    return _failure(settings, first, f"is not ready after {settings.supervisor.start_timeout_seconds:.0f} s")


def _failure(settings: Settings, link: State, what: str) -> str:
    part = link["name"] if link["kind"] == "part" else "supervisor"
    log = settings.state_path / "logs" / f"{part}.log"
    return f"{link['name']} {what}: {link['reason']}\n--- the end of {log}\n{tail(log)}"


def stop(settings: Settings) -> bool:
    """Stops the stack in order and returns when no process and no port of it is left: whether there was one.

    StopFailed when a port is still held.
    """
    from cli.stack import STOP_ORDER, parts

    running = instance.find(settings)
    if running is not None:
        # Each group of parts may take its whole time; then the supervisor has to end itself.
        deadline = time.monotonic() + settings.supervisor.stop_timeout_seconds * len(STOP_ORDER) + ASK_SECONDS
        _signal(running.pid, signal.SIGTERM)
        while running.lives() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 4)
        if running.lives():
            _signal(running.pid, signal.SIGKILL)
    ended = instance.end_leftovers(settings.state_path)
    ports = {name: port for part in parts(settings) for name, port in part.ports().items()}
    held = [f"{port} ({name})" for name, port in ports.items() if is_taken(settings.host, port)]
    if held and (running or ended):
        raise StopFailed(f"stopped, and yet these ports are held: {', '.join(held)}")
    return running is not None or bool(ended)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
