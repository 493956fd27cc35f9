"""1, 10, 100 and 1,000 times the points that the collector can take, one a call; and ten times in bodies of 5,000.

SECONDS sets the length of each part; see `rig.flood`.
"""

import os
from dataclasses import replace
from typing import Final

import click

from benchmarks.collect_points import loads
from benchmarks.results import Result
from benchmarks.rig.flood import flood

SECONDS: Final = 10.0
OFFERED: Final = (("pair", 1), ("pair", 10), ("pair", 100), ("pair", 1000), ("ndjson", 10))


def run() -> list[Result]:
    """BenchmarkFailed when something is accepted late, too little, or lost."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    known = {name: replace(load, seconds=seconds) for name, load in loads().items()}
    results = []
    for name, times in OFFERED:
        click.echo(f"-- {name}, {times} times the peak")
        results += flood(f"overload_points.{name}.{times}", known[name], times)
    return results
