"""Every detector: found by its file, scores as it says, and goes on from saved state as if nothing had happened."""

import numpy as np
import pytest

from analysis.detection import HEADS_A_PAGE, ForeignState, Points, State, UnknownDetector, find, names
from tests.unit.series_of_points import MINUTE_MS, START_MS, many, one

DETECTORS = names()


def test_the_folder_is_the_list() -> None:
    assert DETECTORS == ["mean_threshold", "static_threshold", "stl", "twintail"]
    with pytest.raises(UnknownDetector, match="twintail"):
        find("magic")


def noisy(count: int, seed: int = 1) -> Points:
    rng = np.random.default_rng(seed)
    values = 100 + 10 * np.sin(np.arange(count) * 2 * np.pi / 1440) + rng.normal(0, 1, count)
    return one(values)


@pytest.mark.parametrize("name", DETECTORS)
def test_any_split_into_batches_scores_the_same(name: str) -> None:
    detector, points = find(name), noisy(5000)
    _, whole = detector.score(detector.start(1), points)
    state, parts = detector.start(1), []
    for begin in range(0, 5000, 777):
        state, scores = detector.score(state, points.take(np.arange(begin, min(begin + 777, 5000))))
        parts.append(scores)
    for name_of in whole._fields:
        pieces = [getattr(part, name_of) for part in parts]
        np.testing.assert_array_equal(getattr(whole, name_of), np.concatenate(pieces))


@pytest.mark.parametrize("name", DETECTORS)
def test_saved_state_goes_on(name: str) -> None:
    detector, points = find(name), noisy(4000)
    first, second = (points.take(part) for part in (np.arange(3500), np.arange(3500, 4000)))
    state, _ = detector.score(detector.start(1), first)
    saved = state.dump()
    _, expected = detector.score(state, second)
    _, found = detector.score(detector.start(0).load(saved), second)
    for name_of in expected._fields:
        np.testing.assert_array_equal(getattr(found, name_of), getattr(expected, name_of))


@pytest.mark.parametrize("name", DETECTORS)
def test_changed_pages_are_enough(name: str) -> None:
    """What a live job saves: only pages that a batch rewrote. All pages saved ever make up the state."""
    detector, series = find(name), HEADS_A_PAGE + 3
    state, saved = detector.start(series), dict[str, bytes]()
    rng = np.random.default_rng(2)
    for minute in range(200):
        points = many(rng.normal(100, 1, series), START_MS + minute * MINUTE_MS)
        state, _ = detector.score(state, points)
        saved |= state.pages(points, detector.rows(points))
    restored = detector.start(0).with_pages(saved)
    assert restored.dump() == state.dump()


@pytest.mark.parametrize("name", DETECTORS)
def test_series_do_not_touch_each_other(name: str) -> None:
    detector = find(name)
    rng = np.random.default_rng(3)
    values = rng.normal(50, 5, (600, 4))
    together, alone = detector.start(4), detector.start(1)
    for minute, row in enumerate(values):
        together, scores = detector.score(together, many(row, START_MS + minute * MINUTE_MS))
        alone, single = detector.score(alone, many(row[2:3], START_MS + minute * MINUTE_MS))
        np.testing.assert_array_equal(scores.score[2:3], single.score)


@pytest.mark.parametrize("name", DETECTORS)
def test_growing_keeps_what_was_known(name: str) -> None:
    detector, points = find(name), noisy(3000)
    state, _ = detector.score(detector.start(1), points.take(np.arange(2500)))
    rest = points.take(np.arange(2500, len(points.times)))
    _, found = detector.score(state.resized(5), rest)
    _, expected = detector.score(state, rest)
    np.testing.assert_array_equal(found.score, expected.score)


def test_state_of_another_detector_is_refused() -> None:
    saved = find("mean_threshold").start(2).dump()
    with pytest.raises(ForeignState, match="another detector"):
        find("twintail").start(2).load(saved)
    with pytest.raises(ForeignState):
        find("twintail").start(2).load(b"nonsense")
    with pytest.raises(ForeignState, match="heads/0"):
        find("twintail").start(2).with_pages({"heads/0": b"123"})


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("strange", ["missing", "duplicate", "disorder"])
def test_what_does_not_count_is_not_scored_and_not_learnt(name: str, strange: str) -> None:
    """A missing value, a time that was there before (a revised bin, too), and one that is older."""
    detector, points = find(name), noisy(3000)
    times, values = points.times.copy(), points.values.copy()
    values[2000] = np.nan if strange == "missing" else 1e9
    times[2000] = {"missing": times[2000], "duplicate": times[1999], "disorder": times[1990]}[strange]
    _, found = detector.score(detector.start(1), one(values, times))
    assert np.isnan(found.score[2000])
    without = one(np.delete(values, 2000), np.delete(times, 2000))
    _, expected = detector.score(detector.start(1), without)
    np.testing.assert_array_equal(np.delete(found.score, 2000), expected.score)


def test_static_threshold_is_a_limit_on_the_value() -> None:
    detector = find("static_threshold").at(90)
    _, scores = detector.score(detector.start(1), one(np.array([10.0, 90.0, 89.9])))
    assert (scores.score >= detector.threshold).tolist() == [False, True, False]
    assert scores.upper.tolist() == [90, 90, 90]


def test_mean_threshold_is_a_limit_on_the_mean_of_five() -> None:
    detector = find("mean_threshold")
    _, scores = detector.score(detector.start(1), one(np.array([1, 1, 1, 1, 1, 9, 1, 1, 1, 1, 1.0])))
    assert np.isnan(scores.score[:4]).all()
    np.testing.assert_allclose(scores.score[4:], [1, 2.6, 2.6, 2.6, 2.6, 2.6, 1])
    assert (scores.score[4:] >= detector.threshold).tolist() == [False, True, True, True, True, True, False]
    np.testing.assert_allclose(scores.upper[4:6], [2.25, 2.25])


def test_stl_finds_what_breaks_the_day() -> None:
    points = noisy(1440 * 5)
    points.values[1440 * 4 + 500] += 30
    detector = find("stl")
    _, scores = detector.score(detector.start(1), points)
    assert np.isnan(scores.score[: 1440 * 3]).all()
    assert np.flatnonzero(scores.score >= detector.threshold).tolist() == [1440 * 4 + 500]
    inside = (scores.lower <= points.values) & (points.values <= scores.upper)
    np.testing.assert_array_equal(inside[1440 * 3 :], ~(scores.score >= detector.threshold)[1440 * 3 :])


def test_state_is_small() -> None:
    """At most 16 KB a series, and of that a point rewrites 2 KB at most."""
    state: State = find("twintail").start(100)
    assert (state.heads.nbytes + state.slots.nbytes) / 100 <= 16_384
    points = many(np.ones(100), START_MS)
    pages = state.pages(points, find("twintail").rows(points))
    assert sum(map(len, pages.values())) / 100 <= 2048
