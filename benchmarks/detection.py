"""How well anomalies are found, and how fast: the default detector beside EWMA, Holt-Winters and STL z-scores.

Needs labelled series in the folder of the setting `detection.sets_dir`; says what to put there. Each detector gets the
threshold that is best for it, by one rule. "Nested": threshold (and, of ours, constants from a seeded sample) chosen
on one half of the series and judged on the other, both ways.
"""

import time
from collections.abc import Callable
from typing import Final

import click
import numpy as np

from analysis import arrow
from analysis.detection import Floats, Points, find
from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from benchmarks.detect import events, nab, nested, rivals, sets
from benchmarks.detect.sets import Series
from benchmarks.failed import BenchmarkFailed
from benchmarks.results import Result
from contracts.series import Bin, Progress, decode, encode
from contracts.settings_source import load
from contracts.times import MINUTE_MS
from jobs.score_rows import score_rows

SERIES: Final = 10_000
CALLS: Final = 60
WARM_MINUTES: Final = 3
MINUTES: Final = 5
WARM_CALLS: Final = 400  # more than a day, so that templates are in use
INTERVAL_MS: Final = 300_000
DAY_MS: Final = 86_400_000
STANDARD: Final = "standard"
OURS: Final = "twintail"
METHODS: Final[dict[str, Callable[[Series], Floats]]] = {
    OURS: lambda series: rivals.scores_of(OURS, series),
    "EWMA z-score": rivals.ewma,
    "Holt-Winters z-score": rivals.holt_winters,
    "STL z-score": rivals.stl,
}
Costs = dict[str, float]
LEAST: Final = {"detection.nab.nested": 70.0, "detection.kpi.event_f1.nested": 0.7, "detection.speed": 500_000.0}


def run() -> list[Result]:
    """Quality on both sets, then speed; BenchmarkFailed when the sets are not there, or a figure is below LEAST."""
    folder = load().sets_path
    files, profiles, kpis = sets.nab(folder), sets.nab_profiles(folder), sets.kpi(folder)
    click.echo(f"constants for the nested figures: {nested.DRAWS} draws by seed {nested.SEED}")
    results = [*_nab(files, profiles), *_kpi(kpis), _speed(), *_state(), _feed()]
    found = {one.name: one.value for one in results}
    short = [f"{name}: {found[name]:.4g}, not {least}" for name, least in LEAST.items() if found[name] < least]
    if short:
        raise BenchmarkFailed("; ".join(short), results)
    return results


def _nab(files: list[Series], profiles: dict[str, Costs]) -> list[Result]:
    found = {}
    click.echo(f"{'NAB':22}" + "".join(f"{profile:>26}" for profile in profiles))
    for name, method in METHODS.items():
        found[name] = _nab_of(method, files, profiles)
        click.echo(f"{name:22}" + "".join(f"{value:26.1f}" for value in found[name].values()))
    rival = max((name for name in found if name != OURS), key=lambda name: found[name][STANDARD])
    results = [
        Result(f"detection.nab.{profile}", value, "of 100, threshold in sample", rival, found[rival][profile])
        for profile, value in found[OURS].items()
    ]
    candidates = [nested.scores(options, files) for options in nested.drawn()]
    costs = profiles[STANDARD]
    totals = nested.across(files, candidates, _choose_nab(costs), _judge_nab(costs))
    whole = nab.gains(files, candidates[0], costs)
    return [*results, Result("detection.nab.nested", whole.normalised(sum(totals)), "of 100, constants and threshold")]


def _nab_of(method: Callable[[Series], Floats], files: list[Series], profiles: dict[str, Costs]) -> dict[str, float]:
    scores = [method(series) for series in files]
    found = {}
    for profile, costs in profiles.items():
        gains = nab.gains(files, scores, costs)
        found[profile] = gains.normalised(gains.at(gains.best()))
    return found


def _choose_nab(costs: Costs) -> Callable[[list[Series], list[Floats]], tuple[float, float]]:
    def choose(some: list[Series], scores: list[Floats]) -> tuple[float, float]:
        gains = nab.gains(some, scores, costs)
        return gains.at(gains.best()), gains.best()

    return choose


def _judge_nab(costs: Costs) -> Callable[[list[Series], list[Floats], float], float]:
    return lambda some, scores, threshold: nab.gains(some, scores, costs).at(threshold)


def _kpi(kpis: list[Series]) -> list[Result]:
    found = {}
    click.echo(f"{'KPIs':22}{'event F1':>9}{'nested':>8}{'adjusted':>9}{'false/day':>10}{'delay p50, p90':>17}")
    for name, method in METHODS.items():
        scores = [method(series) for series in kpis]
        found[name] = events.total(kpis, scores, events.best_threshold(kpis, scores))
        halves = nested.across(kpis, [scores], _choose_kpi, events.total)
        _tell(name, found[name], f"{halves[0].add(halves[1]).f1:.3f}")
        if name == OURS:
            _tell("  at its threshold", events.total(kpis, scores, find(OURS).threshold))
    rival = max((name for name in found if name != OURS), key=lambda name: found[name].f1)
    candidates = [nested.scores(options, kpis) for options in nested.drawn()]
    one, other = nested.across(kpis, candidates, _choose_kpi, events.total)
    return [
        Result("detection.kpi.event_f1", found[OURS].f1, "threshold in sample", rival, found[rival].f1),
        Result("detection.kpi.event_f1.nested", one.add(other).f1, "constants and threshold"),
        Result(
            "detection.kpi.false_alarms", found[OURS].false_a_day, "a series and day", rival, found[rival].false_a_day
        ),
    ]


def _tell(name: str, count: events.Count, crossed: str = "") -> None:
    """A line of the table; `crossed`: event F1 with the threshold of the other half."""
    p50, p90 = np.percentile(count.delays, [50, 90]) if count.delays else (np.nan, np.nan)
    click.echo(
        f"{name:22}{count.f1:9.3f}{crossed:>8}{count.adjusted_f1:9.3f}{count.false_a_day:10.3f}{p50:10.0f},{p90:5.0f} s"
    )


def _choose_kpi(some: list[Series], scores: list[Floats]) -> tuple[float, float]:
    threshold = events.best_threshold(some, scores)
    return events.total(some, scores, threshold).f1, threshold


def _state() -> list[Result]:
    """What is kept of a series, and what a bin of all series makes a job write, for each."""
    detector = find(OURS)
    times = np.zeros(SERIES, np.int64)
    points = Points(np.arange(SERIES), times, np.zeros(SERIES), times)
    state = detector.start(SERIES)
    written = sum(map(len, state.pages(points, detector.rows(points)).values()))
    return [
        Result("detection.state", (state.heads.nbytes + state.slots.nbytes) / SERIES, "bytes a series"),
        Result("detection.state.rewritten", written / SERIES, "bytes a series and bin"),
    ]


def _feed() -> Result:
    """All that the job does with the bins of a minute but for Flink: from the bytes of the topic to the rows of the
    table and to the pages of the state. CPU time of this process."""
    lane, source = Lane("user-tags", MINUTE_MS), np.random.default_rng(2)
    feed, spent = Feed(lane, twintail.detector, SERIES), 0.0
    for minute in range(WARM_MINUTES + MINUTES):
        values = source.poisson(50, SERIES).tolist()
        start = minute * MINUTE_MS
        bins = [Bin("m", {"series": str(n)}, MINUTE_MS, start, v, v, v) for n, v in enumerate(values)]
        record = encode([*bins, Progress(0, 1, MINUTE_MS, start + MINUTE_MS)])
        begin = time.process_time()
        stream, _ = feed.take(decode(record))
        arrow.dump(score_rows([one for one in stream if isinstance(one, ScoredBin)], start))
        if minute >= WARM_MINUTES:
            spent += time.process_time() - begin
    bins_scored = SERIES * MINUTES
    return Result("detection.job", bins_scored / spent, "bins/s a core", cpu_us=spent / bins_scored * 1e6)


def _speed() -> Result:
    """A point a series and call, as live series come, with bands; CPU time of this process once all is warmed up."""
    detector, source = find(OURS), np.random.default_rng(1)
    state = detector.start(SERIES)
    series, spent = np.arange(SERIES), 0.0
    for call in range(WARM_CALLS + CALLS):
        times = np.full(SERIES, call * INTERVAL_MS)
        values = 100 + 30 * np.sin(2 * np.pi * times / DAY_MS) + source.normal(0, 5, SERIES)
        begin = time.process_time()
        state, _ = detector.score(state, Points(series, times, values, times))
        if call >= WARM_CALLS:
            spent += time.process_time() - begin
    points = SERIES * CALLS
    return Result("detection.speed", points / spent, "points/s a core", cpu_us=spent / points * 1e6)
