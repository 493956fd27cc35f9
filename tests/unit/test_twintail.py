"""The default detector in the situations that live series get into: each test says what should happen."""

import numpy as np
import pytest

from analysis.detection import Floats, Points, Scores, find
from analysis.detectors.twintail import TwinTail
from analysis.twintail.head import HEAD
from analysis.twintail.seeding import seed_templates
from tests.unit.series_of_points import MINUTE_MS, START_MS, one

DAY = 1440
DETECTOR = find("twintail")


def score(points: Points) -> Scores:
    return DETECTOR.score(DETECTOR.start(1), points)[1]


def anomalies(scores: Scores) -> list[int]:
    found: list[int] = np.flatnonzero(scores.score >= DETECTOR.threshold).tolist()
    return found


def busy(days: float, seed: int = 1) -> Floats:
    """A minute's counts of a shop: quiet nights, busy evenings."""
    minutes = np.arange(round(days * DAY))
    rate = 200 * np.exp(np.sin(2 * np.pi * (minutes / DAY - 0.5)))
    return np.asarray(np.random.default_rng(seed).poisson(rate) * 1.0)


def test_a_new_series_is_silent_until_enough_was_seen() -> None:
    scores = score(one(busy(0.5)))
    assert scores.score[:100].max() == 0
    assert np.isnan(scores.upper[:100]).all()
    assert np.isfinite(scores.upper[-1])


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_days_raise_hardly_an_alarm(seed: int) -> None:
    assert len(anomalies(score(one(busy(14, seed))))) <= 14


def test_a_score_is_of_the_channel_that_it_names() -> None:
    """A deviation that is reported raises the bar of deviations to itself."""
    values = busy(3)
    values[2 * DAY + 300 :] += np.random.default_rng(2).normal(0, 400, DAY - 300)
    points, state, told = one(values), DETECTOR.start(1), [0, 0]
    for at in range(len(values)):
        state, scores = DETECTOR.score(state, points.take(np.arange(at, at + 1)))
        channel, value = int(scores.channel[0]), float(scores.score[0])
        told[channel] += value > 0
        assert value == 0 or (channel == 0) == (value == state.heads["deviation_bar"][0]), at
    assert min(told) > 10


def test_a_minute_of_zero_is_an_anomaly_at_once() -> None:
    values = busy(5)
    values[4 * DAY + 700] = 0
    found = anomalies(score(one(values)))
    assert 4 * DAY + 700 in found
    assert len([place for place in found if 4 * DAY + 700 <= place < 4 * DAY + 760]) <= 3


def test_a_gap_is_no_anomaly() -> None:
    """Nor is the jump across it, which the time of day explains."""
    points = one(busy(6))
    kept = np.ones(len(points.times), bool)
    kept[4 * DAY + 200 : 4 * DAY + 500] = False
    scores = score(points.take(kept))
    after = 4 * DAY + 200
    assert not [place for place in anomalies(scores) if after <= place < after + 30]


def test_a_clock_that_is_set_back_is_ignored_until_it_is_new_again() -> None:
    points = one(busy(3))
    times = points.times.copy()
    times[2 * DAY :] -= 30 * MINUTE_MS
    scores = score(Points(points.series, times, points.values, times))
    assert np.isnan(scores.score[2 * DAY : 2 * DAY + 30]).all()
    assert np.isfinite(scores.score[2 * DAY + 30 :]).all()


def test_a_clock_that_is_set_forward_is_a_gap() -> None:
    points = one(busy(6))
    times = points.times.copy()
    times[5 * DAY :] += 10 * MINUTE_MS
    scores = score(Points(points.series, times, points.values, times))
    assert not [place for place in anomalies(scores) if 5 * DAY <= place < 5 * DAY + 30]


def test_daylight_saving_is_nothing_when_the_zone_is_known() -> None:
    """People shop by the clock on the wall; from day 28 on it is an hour ahead. With phases by that clock nothing is
    seen. Without, the hour's shift is learnt within days, and does not flood anyone meanwhile.
    """
    days, switch = 35, 28
    wall = START_MS + np.arange(days * DAY, dtype=np.int64) * MINUTE_MS
    times = wall.copy()
    times[switch * DAY :] -= 60 * MINUTE_MS
    values, kept = busy(days), np.ones(len(wall), bool)
    kept[switch * DAY : switch * DAY + 60] = False  # the hour that there is not
    by_wall, by_utc = (
        score(Points(np.zeros(int(kept.sum()), np.int64), times[kept], values[kept], phases[kept]))
        for phases in (wall, times)
    )
    counts = [len([place for place in anomalies(found) if place >= switch * DAY]) for found in (by_wall, by_utc)]
    assert counts[0] <= days - switch
    assert counts[1] <= 5 * (days - switch)


def test_a_level_shift_is_reported_and_then_believed() -> None:
    values = busy(10)
    values[7 * DAY :] += 1500
    found = anomalies(score(one(values)))
    assert 7 * DAY in found
    assert len([place for place in found if place >= 7 * DAY]) <= 20
    assert not [place for place in found if place >= 8 * DAY]


def test_a_constant_series_that_moves_is_reported_and_then_believed() -> None:
    values = np.full(3 * DAY, 5.0)
    values[2 * DAY :] += np.random.default_rng(1).normal(0, 1, DAY)
    scores = score(one(values))
    assert scores.score[: 2 * DAY].max() == 0
    found = anomalies(scores)
    assert found[0] == 2 * DAY
    assert len(found) <= 150
    assert not [place for place in found if place >= 2 * DAY + 720]


def test_zeros_that_stay_zero_have_no_score() -> None:
    scores = score(one(np.zeros(2000)))
    assert scores.score.max() == 0
    assert scores.expected[-1] == 0


def test_scale_does_not_matter() -> None:
    values = busy(3)
    values[2 * DAY + 100] *= 8
    small, large = score(one(values)), score(one(values * 2.0**30))
    np.testing.assert_allclose(small.score, large.score, atol=0.05)
    assert 2 * DAY + 100 in anomalies(small)


def test_after_an_alarm_less_is_none_for_a_while() -> None:
    """A weaker drop minutes later belongs to the same incident, and the band says so; one hours later does not."""
    values, first = busy(5), 4 * DAY + 700
    values[[first, first + 300]] = 0
    values[first + 4] *= 0.3
    scores = score(one(values))
    assert scores.score[first] >= DETECTOR.threshold
    assert scores.score[first + 4] == 0
    assert scores.lower[first + 4] < values[first + 4]
    assert scores.score[first + 300] >= DETECTOR.threshold


def test_a_month_of_daily_incidents_hides_none_of_the_next() -> None:
    """They lie in the tails: what is learnt there must not make them usual."""
    values, rng, a_day = busy(30), np.random.default_rng(3), 3
    part = DAY // a_day
    begins = np.arange(2 * a_day, 30 * a_day) * part + rng.integers(0, part - 10, 28 * a_day)
    for begin in begins:
        values[begin : begin + 3] *= 3
    found = set(anomalies(score(one(values))))
    assert np.mean([bool(found & set(range(begin, begin + 3))) for begin in begins[-28:]]) >= 0.6


def test_outside_of_the_band_is_an_anomaly() -> None:
    rng = np.random.default_rng(4)
    values = busy(8)
    values[rng.choice(np.arange(2 * DAY, 8 * DAY), 15, replace=False)] *= 6
    scores = score(one(values))
    known = np.isfinite(scores.upper)
    outside = known & ((values > scores.upper) | (values < scores.lower))
    flagged = scores.score >= DETECTOR.threshold - 0.3  # edges are found by bisection
    assert outside.sum() >= 5
    assert flagged[outside].all()
    assert (scores.lower[known] <= scores.expected[known]).all()
    assert (scores.expected[known] <= scores.upper[known]).all()


@pytest.mark.parametrize("kind", ["normal", "exponential", "student"])
def test_scores_are_probabilities(kind: str) -> None:
    """Of independent values a thousandth, give or take, scores 3 and more, whatever their distribution."""
    rng = np.random.default_rng(5)
    count = 100_000
    draws = {"normal": rng.normal(size=count), "exponential": rng.exponential(size=count)}
    scores = score(one(draws.get(kind, rng.standard_t(3, count))))
    assert 1e-4 < np.mean(scores.score >= 3) < 3e-3


def test_a_head_is_less_than_a_kilobyte() -> None:
    assert HEAD.itemsize <= 1024


def test_a_history_spares_the_first_days() -> None:
    """Seeded with some days, a series is judged from its first live point on, and its days are known."""
    values, now = busy(5), 4 * DAY
    values[now + 3] = 0
    points = one(values)
    detector = TwinTail()
    state = detector.seed(detector.start(1), points.take(np.arange(now)))
    _, scores = detector.score(state, points.take(np.arange(now, len(points.times))))
    assert anomalies(scores)[0] == 3
    rate = 200 * np.exp(np.sin(2 * np.pi * (np.arange(now, 5 * DAY) / DAY - 0.5)))
    assert np.mean(np.abs(scores.expected - rate) / rate) < 0.1


def test_templates_of_a_seeded_series_do_not_follow_a_bad_day() -> None:
    values = busy(6)
    values[2 * DAY + 600 : 2 * DAY + 900] = 0
    points = one(values)
    detector = TwinTail()
    seeded = seed_templates(detector.start(1), 0, points)
    template = seeded.slots["value"][:288, 0] + seeded.heads["season_level"][0, 0]
    usual = 200 * np.exp(np.sin(2 * np.pi * ((np.arange(288) + 0.5) / 288 - 0.5)))
    assert np.abs(template - usual)[120:180].mean() < 0.15 * usual[120:180].mean()


def test_a_short_history_is_only_run_through() -> None:
    points = one(busy(0.5))
    detector = TwinTail()
    seeded = detector.seed(detector.start(1), points)
    assert seeded.dump() == detector.score(detector.start(1), points)[0].dump()
