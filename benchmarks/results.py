"""What a benchmark hands back, and the file in which results pile up: one JSON line each."""

import os
import platform
from pathlib import Path
from typing import Final

import msgspec
import psutil

RESULTS: Final = Path("var/bench/results.jsonl")


class Result(msgspec.Struct, frozen=True):
    """A figure beside a rival's. `ratio` is value / rival_value; `cpu_us`: microseconds of CPU an event."""

    name: str
    value: float
    unit: str
    rival: str | None = None
    rival_value: float | None = None
    cpu_us: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.rival_value if self.rival_value else None


_decoder: Final = msgspec.json.Decoder(Result)


def newest(home: Path, name: str) -> Result | None:
    """The result of this name that was recorded last, on whatever machine; None when there is none."""
    file = home / RESULTS
    lines = file.read_bytes().splitlines() if file.exists() else []
    found = (result for result in map(_decoder.decode, reversed(lines)) if result.name == name)
    return next(found, None)


def machine() -> str:
    """What the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


def record(results: list[Result], home: Path) -> None:
    """Appends the results to the file below `home`."""
    file = home / RESULTS
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        msgspec.json.encode({**msgspec.to_builtins(result), "ratio": result.ratio, "machine": machine()}) + b"\n"
        for result in results
    ]
    with open(file, "ab") as output:
        output.writelines(lines)
