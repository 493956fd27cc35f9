"""Ten times the tags that the collector can take, one by one and many in a body. SECONDS sets the length of each of the
two parts; see `rig.flood`. Of single tags the generator cannot make as many on the same cores, of bodies it can."""

import os
from typing import Final

from api.collect.bulk import AT_ONCE
from benchmarks import collect_bulk, collect_tags
from benchmarks.results import Result
from benchmarks.rig.collecting import Load
from benchmarks.rig.flood import flood

SECONDS: Final = 20.0
TIMES: Final = 10


def run() -> list[Result]:
    """BenchmarkFailed when something is accepted late, too little, or lost."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    tags = Load(collect_tags.tag_requests(), 204, collect_tags.CONNECTIONS, seconds=seconds)
    bodies = Load(collect_bulk.bulk_requests("zstd"), 202, AT_ONCE, collect_bulk.LINES, seconds)
    return [*flood("overload.tags", tags, TIMES), *flood("overload.bulk", bodies, TIMES)]
