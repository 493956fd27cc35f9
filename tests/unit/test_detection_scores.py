"""The scoring of detectors: NAB's by the values that its authors give, events by hand."""

from pathlib import Path

import numpy as np
import pytest

from analysis.detection import Floats
from benchmarks.detect import events, nab, sets
from benchmarks.detect.sets import Series
from benchmarks.failed import BenchmarkFailed

COSTS = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11}


def series(windows: list[int], probation: int = 0) -> Series:
    count = len(windows)
    return Series("a", np.arange(count) * 60_000, np.zeros(count), np.array(windows), probation)


def detections(count: int, *places: int) -> Floats:
    found = np.zeros(count)
    found[list(places)] = 1.0
    return found


def nab_score(one: Series, scores: Floats) -> float:
    gains = nab.gains([one], [scores], COSTS)
    return gains.normalised(gains.at(1.0))


WINDOW = [-1] * 20 + [0] * 10 + [-1] * 70


def test_nothing_is_0_and_the_first_point_of_the_window_is_100() -> None:
    assert nab_score(series(WINDOW), detections(100)) == 0
    assert nab_score(series(WINDOW), detections(100, 20)) == pytest.approx(100)
    assert nab_score(series(WINDOW), detections(100, 20, 25)) == pytest.approx(100)  # only the first counts


def test_later_in_the_window_is_less() -> None:
    earned = (2 / (1 + np.exp(-5 * 0.5)) - 1) / nab.BEST  # five of ten points are left, this one included
    assert nab_score(series(WINDOW), detections(100, 25)) == pytest.approx(50 * (1 + earned))


def test_a_false_alarm_costs_less_right_behind_a_window() -> None:
    far, near = (100 - nab_score(series(WINDOW), detections(100, 20, place)) for place in (5, 30))
    assert far == pytest.approx(50 * 0.11)
    assert near == pytest.approx(50 * 0.11 * (1 - 2 / (1 + np.exp(5 / 9))))


def test_probation_does_not_count() -> None:
    assert nab_score(series(WINDOW, probation=10), detections(100, 20, 5)) == pytest.approx(100)


def test_one_threshold_for_all_files_the_best() -> None:
    files = [series(WINDOW), series(WINDOW)]
    scores = [detections(100, 20) * 3, detections(100, 20) * 2 + detections(100, 90)]
    gains = nab.gains(files, scores, COSTS)
    assert gains.best() == 2
    assert gains.normalised(gains.at(2)) == pytest.approx(100)


def test_events_are_counted_as_whoever_is_paged_does() -> None:
    one = series([-1] * 10 + [0] * 5 + [-1] * 45 + [1] * 5 + [-1] * 35)
    scores = detections(100, 12, 13, 16, 40, 42, 90)
    found = events.count(one, scores, 1.0)
    assert (found.alarms, found.right, found.incidents, found.found) == (3, 1, 2, 1)
    assert found.f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert found.delays == (120.0,)
    assert (found.points_right, found.points_false, found.points_missed) == (5, 4, 5)
    assert events.count(one, detections(100), 1.0).f1 == 0


def test_absent_sets_say_what_to_put_there(tmp_path: Path) -> None:
    for read in (sets.nab, sets.kpi):
        with pytest.raises(BenchmarkFailed, match="kpi/"):
            read(tmp_path)


def test_sets_are_read(tmp_path: Path) -> None:
    (tmp_path / "kpi").mkdir()
    (tmp_path / "kpi" / "a.csv").write_text("60,1,0\n120,2,1\n180,3,1\n240,4,0\n300,5,1\n")
    found = sets.kpi(tmp_path)[0]
    assert found.windows.tolist() == [-1, 0, 0, -1, 1]
    assert found.times.tolist() == [60_000, 120_000, 180_000, 240_000, 300_000]
