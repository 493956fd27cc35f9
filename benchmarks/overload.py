"""Ten times the tags that the collector can take. SECONDS sets the length of each of the two parts; see `rig.flood`."""

import os
from typing import Final

from benchmarks.collect_tags import CONNECTIONS, tag_requests
from benchmarks.results import Result
from benchmarks.rig.collecting import Load
from benchmarks.rig.flood import flood

SECONDS: Final = 20.0
TIMES: Final = 10


def run() -> list[Result]:
    """BenchmarkFailed when something is accepted late, too little, or lost."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    return flood("overload", Load(tag_requests(), 204, CONNECTIONS, seconds=seconds), TIMES)
