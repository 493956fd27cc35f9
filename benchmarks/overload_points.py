"""1, 10, 100 and 1,000 times the points that the collector can take, one a call; and ten times in bodies of 5,000.

SECONDS sets the length of each part, ONE names the parts to run; see `overload`.
"""

import os
from typing import Final

from api.collect.bulk import AT_ONCE
from benchmarks.collect_points import loads
from benchmarks.overload import flooded, is_chosen
from benchmarks.results import Result
from benchmarks.rig.flood import Kind

SECONDS: Final = 10.0


def run() -> list[Result]:
    """BenchmarkFailed when something is accepted late, too little, or lost."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return [result for kind in kinds() if is_chosen(kind.name) for result in flooded(kind, seconds)]


def kinds() -> list[Kind]:
    """Points one by one, and packed."""
    pair, packed = loads()["pair"], loads()["ndjson.zstd"]
    few = (list(pair.requests), pair.status, 1, pair.connections, 3 * pair.connections)
    many = (list(packed.requests), packed.status, packed.events, packed.connections, 8 * AT_ONCE)
    single = [Kind(f"points.{times}", *few, times, "points", probed=True) for times in (1, 10, 100, 1000)]
    return [*single, Kind("points.bulk", *many, 10, "points")]
