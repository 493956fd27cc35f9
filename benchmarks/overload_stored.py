"""More points than the collector can take, followed the whole way: Kafka, the job `metrics` and ClickHouse run beside.

Bodies of 5,000 points are due at 1, 10, 100 and 1,000 times the peak; then at ten times while the jobs stand still, as
their TaskManager is killed and comes back only afterwards; then while ClickHouse does. Nothing else is done by hand:
each time ClickHouse must come to hold every accepted point once, by each series' count and sum, of the points and of
their bins. (Calls that were neither taken nor refused are shown; should one of them have been taken, the sums differ.)
SECONDS sets the length of a flood, DOWN that of an outage; ONE names the parts to run, as in `ONE=1,10,jobs`.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import click
import numpy as np
import uvloop
from clickhouse_connect.driver.exceptions import ClickHouseError
from numpy.typing import NDArray

from api.collect.bulk import AT_ONCE
from benchmarks.collect_points import POINTS, STREAM, loads
from benchmarks.failed import BenchmarkFailed
from benchmarks.overload import ROUNDS, is_chosen
from benchmarks.results import Result
from benchmarks.rig import flood, stack
from benchmarks.rig.collecting import collecting
from benchmarks.rig.flood import Flood, Kind, Peak
from benchmarks.rig.stack import START_SECONDS, Stack
from benchmarks.rig.topic import count_events
from infra.embedded.child import Child
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.flink import TaskManager
from infra.embedded.priority import Priorities
from stores import clickhouse

SECONDS: Final = 10.0
DOWN: Final = 120.0
CAUGHT_UP_SECONDS: Final = 600.0  # at most, after a flood
KEPT: Final = "SELECT series, count(), sum(value) FROM points FINAL GROUP BY series"
BINNED: Final = "SELECT series, sum(count), sum(sum) FROM bins FINAL WHERE resolution = 60 GROUP BY series"

Sums = dict[int, tuple[int, float]]  # count and sum by id of series


@dataclass(frozen=True)
class Course:
    """A flood of `times` the peak; `down`: the part that is killed before and comes back after it."""

    name: str
    times: int
    seconds: float
    down: str = ""


class Round(NamedTuple):
    """`late`: seconds after the flood until ClickHouse held all."""

    peak: Peak
    flooded: Flood
    late: float


@dataclass
class Accepted:
    """What each body holds, and how often each was accepted. Values are eighths: sums are exact in any order."""

    bodies: list[tuple[NDArray[np.int64], NDArray[np.float64]]]  # count and sum by number of series
    taken: Counter[int] = field(default_factory=Counter)

    def sums(self) -> Sums:
        """Of each series that was accepted at all."""
        counts = sum((taken * self.bodies[body][0] for body, taken in self.taken.items()), np.zeros(STREAM.series))
        totals = sum((taken * self.bodies[body][1] for body, taken in self.taken.items()), np.zeros(STREAM.series))
        found = zip(STREAM.all_series, counts.astype(int).tolist(), totals.tolist(), strict=True)
        return {series.id: (count, total) for series, count, total in found if count}


def run() -> list[Result]:
    """BenchmarkFailed when a point is missing or twice, or as of `overload`."""
    packed = loads()["ndjson.zstd"]
    kind = Kind(
        "stored", list(packed.requests), packed.status, packed.events, packed.connections, 8 * AT_ONCE, stream="points"
    )
    accepted = Accepted([by_series(columns.series, columns.value) for columns in STREAM.batches(POINTS)])
    results: list[Result] = []
    wrong: list[str] = []
    with stack.running("overload-stored") as parts, collecting(parts.settings) as collector:
        try:
            with parts.job("metrics", "jobs.metrics", parts.topic_argument("points")):
                for more, told in _floods(parts, collector, kind, accepted):
                    results += more
                    wrong += told
        except BenchmarkFailed as error:
            raise BenchmarkFailed("; ".join([*wrong, str(error)]), results) from None
        held, topic = accepted.taken.total() * POINTS, count_events(parts.settings, "points")
    if topic != held:
        wrong.append(f"{held} accepted, {topic} in the topic")
    if wrong:
        raise BenchmarkFailed("; ".join(wrong), results)
    return results


def _courses() -> list[Course]:
    seconds, down = float(os.environ.get("SECONDS") or SECONDS), float(os.environ.get("DOWN") or DOWN)
    courses = [
        *(Course(str(times), times, seconds) for times in (1, 10, 100, 1000)),
        Course("jobs", 10, down, TaskManager.name),
        Course("clickhouse", 10, down, ClickHouse.name),
    ]
    return [course for course in courses if is_chosen(course.name)]


def _floods(parts: Stack, collector: Child, kind: Kind, accepted: Accepted) -> Iterator[tuple[list[Result], list[str]]]:
    """One after the other, with an outage once, else the median of three: figures, and what does not hold."""
    priorities = Priorities(parts.settings.supervisor.nice)  # Flink and ClickHouse give way, as `tidewatch up` has it
    for course in _courses():
        own, rounds = replace(kind, times=course.times), list[Round]()
        for _ in range(1 if course.down else ROUNDS):
            priorities.apply(parts.children, ready=True)  # one may have been started anew
            rounds.append(_round(parts, collector, own, course, accepted))
        yield _judged(own, course, rounds)


def _judged(kind: Kind, course: Course, rounds: list[Round]) -> tuple[list[Result], list[str]]:
    name = f"overload.stored.{course.name}"
    peak, flooded = flood.middle([(one.peak, one.flooded) for one in rounds])
    late = max(one.late for one in rounds)
    flood.show(name, kind, peak, flooded)
    click.echo(f"all accepted points stored once, {late:.0f} s after the flood\n")
    results = [*flood.results(name, kind, peak, flooded), Result(f"{name}.caught_up", late, "s")]
    return results, [f"{name}: {wrong}" for wrong in flood.wrong(peak, flooded)]


def _round(parts: Stack, collector: Child, kind: Kind, course: Course, accepted: Accepted) -> Round:
    """A peak, then a flood, each followed until everything is stored; BenchmarkFailed when it never is."""
    peak = _peak(parts, collector, kind, accepted)
    flooded = _flood(parts, collector, kind, peak, course)
    accepted.taken += flooded.taken
    late = _caught_up(parts, accepted)
    if course.down:  # that long no machine keeps its speed: of the peaks before and after the mean counts
        after = _peak(parts, collector, kind, accepted)
        peak = replace(peak, rate=(peak.rate + after.rate) / 2, p99=(peak.p99 + after.p99) / 2)
    return Round(peak, flooded, late)


def _peak(parts: Stack, collector: Child, kind: Kind, accepted: Accepted) -> Peak:
    peak = uvloop.run(flood.peak(parts.settings, collector, kind, float(os.environ.get("SECONDS") or SECONDS)))
    accepted.taken += peak.taken
    _caught_up(parts, accepted)
    return peak


def _flood(parts: Stack, collector: Child, kind: Kind, peak: Peak, course: Course) -> Flood:
    """With the part that is down meanwhile killed; it is started again, by nobody else."""
    place = next((at for at, child in enumerate(parts.children) if child.part.name == course.down), None)
    if place is not None:
        parts.children[place].kill()
    flooded = uvloop.run(flood.flood(parts.settings, collector, kind, peak.rate, course.seconds))
    if place is not None:
        parts.children[place] = Child(parts.children[place].part)
        parts.children[place].wait_ready(START_SECONDS)
    return flooded


def _caught_up(parts: Stack, accepted: Accepted) -> float:
    """Seconds until ClickHouse holds what was accepted, once; BenchmarkFailed when it never does."""
    wanted, began = accepted.sums(), time.monotonic()
    while (difference := _difference(parts, wanted)) is not None:
        if time.monotonic() > began + CAUGHT_UP_SECONDS:
            raise BenchmarkFailed(f"{CAUGHT_UP_SECONDS:.0f} s after the flood {difference}")
        time.sleep(1.0)
    return time.monotonic() - began


def _difference(parts: Stack, wanted: Sums) -> str | None:
    """The cheap count first, as all others read every point."""
    expected = sum(count for count, _ in wanted.values())
    try:
        with clickhouse.connect(parts.settings) as client:
            counted = int(client.query("SELECT sum(lines) FROM point_blocks FINAL").result_rows[0][0])
            if counted < expected:
                return f"{counted} of {expected} points are counted"
            held = [
                {series: (int(count), total) for series, count, total in client.query(statement).result_rows}
                for statement in (KEPT, BINNED)
            ]
    except ClickHouseError as error:
        return str(error)
    for what, found in zip(("points", "bins"), held, strict=True):
        wrong = [series for series in wanted.keys() | found.keys() if wanted.get(series) != found.get(series)]
        if wrong:
            return f"{what} of {len(wrong)} series differ: {found.get(wrong[0])}, not {wanted.get(wrong[0])}"
    return None


def by_series(series: NDArray[np.int32], value: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count and sum of a body's points by number of series."""
    counts, sums = np.bincount(series, minlength=STREAM.series), np.bincount(series, value, minlength=STREAM.series)
    return counts.astype(np.int64), sums.astype(np.float64)
