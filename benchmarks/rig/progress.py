"""How fast something went, from when which progress was seen.

Progress comes in steps: a job writes every few seconds. A rate is taken from step to step, for each of the lanes (a
partition or a subtask) that advance by themselves; the last step, before which a job may wait for more, is left out.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.failed import BenchmarkFailed

EVERY: Final = 0.5  # seconds between looks: one at ClickHouse takes some 10 ms of the CPU that is counted
LEAST_STEPS: Final = 3

Lanes = Mapping[int, int]
Cpu = Mapping[str, float]


@dataclass
class Course:
    """Of one run: (seconds, events) at each step of each lane, and CPU seconds by part since the first step."""

    steps: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    events: int = 0  # after the first step: those that the CPU was used for

    @property
    def rate(self) -> float:
        """Events a second, all lanes together."""
        return sum(map(_rate, self.steps.values()))

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU an event, of all parts together."""
        return sum(self.cpu.values()) / self.events * 1e6

    def table(self) -> str:
        """A line a part: CPU an event, and cores in use at this rate."""
        lines = [f"{'part':20}{'us/event':>10}{'cores':>8}"]
        for part, used in sorted(self.cpu.items(), key=lambda item: -item[1]):
            each = used / self.events * 1e6
            lines.append(f"{part:20}{each:>10.3f}{each * self.rate / 1e6:>8.2f}")
        return "\n".join(lines)


def follow(read: Callable[[], Lanes], total: int, cpu: Callable[[], Cpu], timeout: float) -> Course:
    """Looks until all lanes together have done `total` events; BenchmarkFailed when that takes over `timeout` s."""
    course, before = Course(), dict[str, float]()
    deadline = time.monotonic() + timeout
    done = 0
    while done < total:
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{done} of {total} events were done within {timeout:.0f} s")
        time.sleep(EVERY)
        lanes, now = read(), time.monotonic()
        for lane, events in lanes.items():
            steps = course.steps.setdefault(lane, [])
            if events and (not steps or events > steps[-1][1]):
                steps.append((now, events))
        done = sum(lanes.values())
        if done and not before:
            before, course.events = dict(cpu()), total - done
    course.cpu = {part: used - before.get(part, 0.0) for part, used in cpu().items()}
    return course


def _rate(steps: list[tuple[float, int]]) -> float:
    whole = steps[:-1] if len(steps) > LEAST_STEPS else steps
    if len(whole) < 2:
        raise BenchmarkFailed("progress came in one step: more events are needed to tell a rate")
    (begin, first), (end, last) = whole[0], whole[-1]
    return (last - first) / (end - begin)
