"""Flink's REST interface: JSON over HTTP, and errors that say what was asked of whom."""

import json
import re
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, TypeVar

Answer = TypeVar("Answer")
STACK_FRAME: Final = re.compile(r"\s+(at |\.\.\. \d+ more)")


class FlinkError(Exception):
    """Flink refused, failed or cannot be reached; the message says what was asked, of whom, and the next step."""


class Unreachable(FlinkError):
    """Nothing answered at the address."""


class RestoreFailed(FlinkError):
    """A job could not begin with the restore point that it was given: that is broken, or of another job."""


class NotFound(FlinkError):
    """Flink answered, and does not know the job or the request."""


class Rest:
    """One Flink JobManager at host:port. A connection a call, so threads may share an instance."""

    def __init__(self, host: str, port: int, timeout: float = 10.0) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self.address = f"{host}:{port}"

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str) -> Any:
        return self._call("PATCH", path, None)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, HTTPException) as error:
            raise Unreachable(
                f"no answer from Flink at {self.address} to {method} {path}: {error or type(error).__name__}. "
                "Check that the cluster is up (tidewatch status) and the settings flink.host and flink.port"
            ) from None
        finally:
            connection.close()
        if status >= 400:
            kind = NotFound if status == 404 else FlinkError
            raise kind(f"Flink at {self.address} answered {status} to {method} {path}: {_reason(text)}")
        return json.loads(text) if text else {}


def until(ask: Callable[[], Answer | None], timeout: float, what: str, every: float = 0.1) -> Answer:
    """The first answer of `ask` that is not None; FlinkError when there is none within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() >= deadline:
            raise FlinkError(f"{what} took longer than {timeout:.0f} s; look at Flink's log (tidewatch logs flink)")
        time.sleep(every)


def _reason(text: bytes) -> str:
    """The first line of each error in Flink's answer, which holds whole stack traces."""
    try:
        errors = json.loads(text).get("errors", [])
    except (ValueError, AttributeError):
        errors = [text.decode(errors="replace")]
    return "; ".join(cause(str(error)) for error in errors if error) or "no reason given"


def cause(trace: str) -> str:
    """Of a Java stack trace its first line and its innermost cause, each cut at 200 characters.

    A cause that was raised in Python carries a traceback; its last line says what it was.
    """
    told = [line.strip() for line in trace.splitlines() if line.strip() and not STACK_FRAME.match(line)]
    if not told:
        return ""
    inner = [index for index, line in enumerate(told) if line.startswith("Caused by: ")]
    innermost = told[inner[-1]].removeprefix("Caused by: ") if inner else ""
    parts = [part for part in (told[0], innermost, told[-1].removeprefix("Caused by: ")) if part]
    return " … ".join(dict.fromkeys(part[:200] for part in parts))
