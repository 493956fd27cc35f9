"""What the supervisor knows of a part: how to start it, and whether it answers."""

import http.client
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

from contracts.settings import Settings

PROBE_SECONDS = 2.0  # a part that takes longer to answer its health check is not ready


class PartError(Exception):
    """A part cannot be started; the message says what to do."""


class Part(ABC):
    """One process of the embedded stack. `name` is also that of its log file and of its line in `status`."""

    name: str
    niced = False  # gives way to the parts that answer people, see priority.py

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def log(self) -> Path:
        return self.settings.state_path / "logs" / f"{self.name}.log"

    def prepare(self) -> None:  # noqa: B027  # not every part reads something
        """Writes what the process reads at its start. Called before every start; PartError when it cannot."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; it must stay in the foreground and stop on SIGTERM."""

    def environment(self) -> dict[str, str]:
        """Variables in addition to the supervisor's own; an empty one takes a variable away."""
        return {}

    @abstractmethod
    def ready(self) -> str | None:
        """None when the part answers, else the reason. Never raises, returns within about two seconds."""

    @abstractmethod
    def ports(self) -> dict[str, int]:
        """The ports it listens on, by the name of the setting that moves each."""

    @abstractmethod
    def version(self) -> str:
        """Of the program, as far as it is known without asking the process."""


def http_reason(url: str) -> str | None:
    """None when a GET of `url` answers 200 in time, else the reason."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS):  # noqa: S310  # our own http:// addresses
            return None
    except urllib.error.HTTPError as error:
        with error:
            return f"{url} answered {error.code}: {error.read(500).decode(errors='replace').strip()}"
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"{url}: {reason}"
