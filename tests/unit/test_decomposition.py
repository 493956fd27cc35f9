"""Decomposition by LOESS, and the detector's templates against it."""

import numpy as np
import pytest

from analysis.decomposition import DAY_MS, ShortHistory, decompose, regular
from analysis.detection import Floats, Points, find
from analysis.twintail import season

BINS = 48  # a day
WIDTH = DAY_MS // BINS


def history(days: int, seed: int = 1) -> Floats:
    bins = np.arange(days * BINS)
    day, week = 20 * np.sin(2 * np.pi * bins / BINS), 15.0 * (bins // BINS % 7 >= 5)
    return np.asarray(100 + day + week + np.random.default_rng(seed).normal(0, 1, len(bins)))


def test_parts_add_up_and_are_what_was_put_in() -> None:
    values = history(28)
    parts = decompose(values, BINS)
    np.testing.assert_allclose(parts.trend + parts.day + parts.week + parts.rest, values)
    assert np.std(parts.rest) < 2
    assert 17 < np.ptp(parts.day[-BINS:]) / 2 < 23


def test_explains_an_anomaly() -> None:
    values = history(10)
    values[200] += 40
    assert "further off than 100.0%" in decompose(values, BINS).explain(200)


def test_short_histories_are_refused() -> None:
    with pytest.raises(ShortHistory):
        decompose(history(1), BINS)
    with pytest.raises(ShortHistory):
        regular(np.array([0]), np.array([np.nan]), BINS)


def test_bins_are_means_and_holes_are_bridged() -> None:
    times = np.array([0, WIDTH // 2, 3 * WIDTH])
    begins, values = regular(times, np.array([1.0, 3.0, 8.0]), BINS)
    assert begins.tolist() == [0, WIDTH, 2 * WIDTH, 3 * WIDTH]
    assert values.tolist() == [2, 4, 6, 8]


def test_the_templates_learn_what_stl_finds() -> None:
    """STL sees all of the history at once and takes its time: what the template knows in the end is close to it."""
    minutes = np.arange(14 * 1440)
    values = 100 + 20 * np.sin(2 * np.pi * minutes / 1440) + np.random.default_rng(1).normal(0, 1, len(minutes))
    times = minutes * 60_000
    detector = find("twintail")
    state, _ = detector.score(detector.start(1), Points(np.zeros(len(times), np.int64), times, values, times))
    template = state.slots["value"][: season.SLOTS, 0].astype(float)
    day = decompose(regular(times, values, season.SLOTS)[1], season.SLOTS).day[-season.SLOTS :]
    off = (template - template.mean()) - (day - day.mean())
    assert np.abs(off).mean() < 1
