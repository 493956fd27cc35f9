"""Ten times what the collector can take: what it accepts, how fast it refuses the rest, and what that costs.

Tags one by one, and many in a body. First the most that it takes, in closed loop; then calls are due at ten times that
rate. The generator shares the machine, so how many of them it really made is printed: of single tags it cannot make as
many, of bodies it can. Every accepted tag is counted in the topic in the end. SECONDS sets the length of each, ONE
names the parts to run. Of three rounds, peaks with their floods, the median counts: machines change their speed.
"""

import os
from typing import Final

import uvloop

from api.collect.bulk import AT_ONCE
from benchmarks import collect_bulk, collect_tags
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig import flood
from benchmarks.rig.broker import START_SECONDS, broker
from benchmarks.rig.collecting import collecting
from benchmarks.rig.flood import Flood, Kind, Peak
from benchmarks.rig.topic import count_events
from contracts.settings import Settings
from infra import topics
from infra.embedded.child import Child

SECONDS: Final = 20.0
ROUNDS: Final = 3
TAGS: Final = collect_tags.CONNECTIONS


def kinds() -> list[Kind]:
    """Tags one by one; bodies of thousands, packed, at the peak as many at a time as are never refused."""
    return [
        Kind("tags", collect_tags.tag_requests(), 204, 1, TAGS, 3 * TAGS, probed=True),
        Kind(
            "bulk", collect_bulk.bulk_requests("zstd"), 202, collect_bulk.LINES, collect_bulk.CONNECTIONS, 8 * AT_ONCE
        ),
    ]


def run() -> list[Result]:
    """BenchmarkFailed when less than four fifths of the peak are accepted, accepted calls are late, memory grows, or an
    accepted tag is missing."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return [result for kind in kinds() if is_chosen(kind.name) for result in flooded(kind, seconds)]


def is_chosen(name: str) -> bool:
    """Whether ONE names this part, among others perhaps, or none at all."""
    names = os.environ.get("ONE") or name
    return name in names.split(",")


def flooded(kind: Kind, seconds: float) -> list[Result]:
    """One flood on a broker of its own; see `run`."""
    name = f"overload.{kind.name}"
    with broker(f"overload-{kind.name}") as (settings, _):
        topics.ensure(settings, START_SECONDS)
        with collecting(settings) as child:
            rounds = [uvloop.run(_measure(settings, child, kind, seconds)) for _ in range(ROUNDS)]
        found = count_events(settings, kind.stream)
    peak, calls = flood.middle(rounds)
    flood.show(name, kind, peak, calls)
    results = flood.results(name, kind, peak, calls)
    wrong = [*_missing(kind, rounds, found), *flood.wrong(peak, calls)]
    if wrong:
        raise BenchmarkFailed("; ".join(wrong), results)
    return results


async def _measure(settings: Settings, child: Child, kind: Kind, seconds: float) -> tuple[Peak, Flood]:
    peak = await flood.peak(settings, child, kind, seconds)
    return peak, await flood.flood(settings, child, kind, peak.rate, seconds)


def _missing(kind: Kind, rounds: list[tuple[Peak, Flood]], found: int) -> list[str]:
    """Whether the topic holds what was accepted, and at most what may have been."""
    accepted = kind.events * sum((peak.taken + calls.taken).total() for peak, calls in rounds)
    unknown = kind.events * sum(peak.unknown + calls.unknown for peak, calls in rounds)
    holds = accepted <= found <= accepted + unknown
    return [] if holds else [f"{accepted} accepted, {unknown} not answered, {found} in the topic"]
