"""What `up` shows while the stack starts: a line for each link that has become ready, and what is awaited."""

import time
from types import TracebackType
from typing import Any

from rich.console import Console


class Progress:
    """Use as a context manager and pass to `supervision.wait_ready`; on a terminal the last line is alive."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("starting the supervisor")
        self._ready: set[str] = set()
        self._began = time.monotonic()

    def __enter__(self) -> "Progress":
        self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._status.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def __call__(self, state: dict[str, Any]) -> None:
        """Shows the supervisor's state."""
        for link in state["links"]:
            if link["ready"] and link["name"] not in self._ready:
                self._ready.add(link["name"])
                self._console.print(
                    f"[{self.elapsed:5.1f} s] {link['name']} {_what(link)}", markup=False, highlight=False
                )
        awaited = [f"{link['name']} ({_short(link['reason'])})" for link in state["links"] if not link["ready"]]
        self._status.update(f"{self.elapsed:.0f} s, awaiting {'; '.join(awaited)}")


def _what(link: dict[str, Any]) -> str:
    if link["kind"] == "step":
        return "done"
    if link["kind"] == "outside":
        return "answers (outside)"
    return f"{link['version']}, pid {link['pid']}, port {', '.join(map(str, link['ports']))}"


def _short(reason: str | None) -> str:
    text = (reason or "").partition("\n")[0]
    return text if len(text) <= 60 else f"{text[:57]}..."
