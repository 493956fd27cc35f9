"""As many reads as writes on a fresh stack: 1000 tags, 1000 profile reads, 1 aggregate query a second, ten minutes.

Fails when an answer is wrong, a call is refused, archive and aggregates differ, or, in a run of full length, more than
0.5 % of the calls took over 200 ms. SECONDS shortens it.
"""

from typing import Final

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from benchmarks.rig.judged import Mix, judge
from testbed.driver import LATE
from testbed.report import Report

MIX: Final = Mix("mixed", tags=1000, profiles=1000, aggregates=1)
LATE_ALLOWED: Final = 0.005  # share of the calls; a short run is too much of a cold start to be judged by it


def run() -> list[Result]:
    """One run."""
    judged = judge(MIX)
    late = _over(judged.report, LATE)
    figures = judged.report.as_dict()
    results = [
        Result("mixed.late", late, "of the calls", cpu_us=judged.cpu_us),
        *(Result(f"mixed.{kind}.p99", figures[kind]["p99_ms"], "ms") for kind in ("tags", "profiles", "aggregates")),
        Result("mixed.freshness.p50", figures["freshness_p50_ms"], "ms"),
    ]
    if judged.full and late > LATE_ALLOWED:
        told = f"{late:.2%} of the calls took over {LATE * 1000:.0f} ms; {LATE_ALLOWED:.1%} are allowed"
        raise BenchmarkFailed(told, results)
    return results


def _over(report: Report, seconds: float) -> float:
    """Share of all calls that took longer, aggregates by the same measure."""
    tallies = (report.tags, report.profiles, report.aggregates)
    slow = sum(sum(latency > seconds for latency in tally.latencies) for tally in tallies)
    return slow / sum(tally.sent for tally in tallies)
