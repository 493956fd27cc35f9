"""CPU and memory of the running stack, by what each process is for."""

import asyncio
import os
from contextlib import suppress
from typing import Any, Final

import psutil

from cli import supervision
from contracts.settings import Settings

EVERY: Final = 5.0  # seconds between samples: a process that lives shorter is missed
PYTHON_WORKERS: Final = "flink python"
DRIVER: Final = "driver"


class Usage:
    """CPU seconds since the first sample and the largest memory (bytes), by label."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.memory: dict[str, int] = {}
        self._before: dict[tuple[int, float], float] = {}
        self._first = True

    def sample(self, settings: Settings, supervisor: int) -> None:
        """Adds what the processes have used since the last sample."""
        memory: dict[str, int] = {}
        for label, process in _labelled(settings, supervisor):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used = times.user + times.system
                key = (process.pid, process.create_time())
                # What was there at the first sample starts from zero; what came later counts from its own start.
                before = self._before.get(key, used if self._first else 0.0)
                self._before[key] = used
                self.cpu[label] = self.cpu.get(label, 0.0) + used - before
                memory[label] = memory.get(label, 0) + process.memory_info().rss
        self._first = False
        self.memory = {label: max(size, self.memory.get(label, 0)) for label, size in {**self.memory, **memory}.items()}

    async def watch(self, settings: Settings, supervisor: int) -> None:
        """Samples until cancelled."""
        while True:
            await asyncio.to_thread(self.sample, settings, supervisor)
            await asyncio.sleep(EVERY)

    def table(self, events: int, seconds: float) -> str:
        """A line a label: share of one core, CPU an event, largest memory."""
        lines = [f"{'process':20}{'cpu s':>9}{'cores':>8}{'us/tag':>9}{'MB':>7}"]
        for label, used in sorted(self.cpu.items(), key=lambda item: -item[1]):
            per_tag = used / events * 1e6 if events else 0.0
            size = self.memory.get(label, 0) / 2**20
            lines.append(f"{label:20}{used:>9.1f}{used / seconds:>8.2f}{per_tag:>9.0f}{size:>7.0f}")
        total = sum(self.cpu.values())
        lines.append(f"{'all':20}{total:>9.1f}{total / seconds:>8.2f}{total / max(events, 1) * 1e6:>9.0f}")
        return "\n".join(lines)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of all below it that live; children that have ended are not in it."""
    root = psutil.Process(pid)
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _labelled(settings: Settings, supervisor: int) -> list[tuple[str, psutil.Process]]:
    """Every process of the stack, and this one, with what it is for."""
    found = [("supervisor", psutil.Process(supervisor)), (DRIVER, psutil.Process(os.getpid()))]
    state: dict[str, Any] = supervision.ask(settings) or {"links": []}
    parts = {link["pid"]: link["name"] for link in state["links"] if link.get("pid")}
    for process in psutil.Process(supervisor).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found.append((_label(process, parts), process))
    return found


def _label(process: psutil.Process, parts: dict[int, str]) -> str:
    if process.pid in parts:
        return parts[process.pid]
    for parent in process.parents():
        if parent.pid in parts:
            name = parts[parent.pid]
            return PYTHON_WORKERS if name.startswith("flink") and "python" in process.name() else name
    return "supervisor"
