"""What the watch of live series makes of what happens to them: bins and progress in, scores that page out.

The detector alone is tested in test_twintail.py; here it sees what `Feed` lets through.
"""

import random
from collections.abc import Callable, Iterable
from math import sin, tau

import pytest

from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from contracts.series import Bin, Message, Progress
from contracts.times import DAY_MS, MINUTE_MS

START = 1_651_363_200_000  # 2022-05-01T00:00:00Z
DAY = DAY_MS // MINUTE_MS
NOON = 3 * DAY + DAY // 2  # on the fourth day
Value = Callable[[int], float | None]  # of a minute; None: no events
Judged = dict[int, ScoredBin]  # by minute


def daily(minute: int, phase: int = 0) -> float:
    """High at noon, with noise that is the same in each run."""
    noise = random.Random(minute).gauss(0, 6)  # noqa: S311  # repeatable
    return round(300 - 150 * sin((minute + phase + DAY / 4) * tau / DAY) + noise)


def bin_of(minute: int, value: float, revision: int = 1) -> Bin:
    return Bin("clicks", {}, MINUTE_MS, START + minute * MINUTE_MS, value, 1, revision)


def minutes(value: Value, begin: int, end: int) -> list[Message]:
    """A bin a minute and the progress that closes it."""
    found: list[Message] = []
    for minute in range(begin, end):
        amount = value(minute)
        found += [] if amount is None else [bin_of(minute, amount)]
        found.append(progress(minute + 1))
    return found


def progress(minute: int) -> Progress:
    return Progress(0, 1, MINUTE_MS, START + minute * MINUTE_MS)


def watch(*parts: Iterable[Message]) -> Judged:
    """What was said of each minute; none is judged twice."""
    feed = Feed(Lane("user-tags", MINUTE_MS), twintail.detector, 10)
    stream = feed.take([message for part in parts for message in part]).stream
    scored = [one for one in stream if isinstance(one, ScoredBin) and not one.revised]
    judged = {(one.bin.start - START) // MINUTE_MS: one for one in scored}
    assert len(judged) == len(scored)
    return judged


def anomalies(judged: Judged, begin: int = 0) -> list[int]:
    return [minute for minute, one in judged.items() if minute >= begin and one.score >= twintail.THRESHOLD]


def same(one: Judged, other: Judged) -> bool:
    return list(map(repr, one.values())) == list(map(repr, other.values()))  # nan is not equal to itself


USUAL = minutes(daily, 0, NOON)


def test_a_minute_of_zero_is_an_anomaly_though_no_bin_came() -> None:
    judged = watch(USUAL, minutes(lambda minute: None if minute == NOON else daily(minute), NOON, NOON + 30))
    assert judged[NOON].bin.value == 0
    assert anomalies(judged, NOON)[0] == NOON


def test_a_gap_is_neither_zero_nor_an_anomaly() -> None:
    """Progress leapt over two hours: nobody counted."""
    back = NOON + 120
    judged = watch(USUAL, [progress(back)], minutes(daily, back, back + 60))
    assert not set(range(NOON, back)) & set(judged)
    assert anomalies(judged, NOON) == []


def test_a_clock_that_is_set_back_says_nothing_until_time_is_new() -> None:
    """Its bins are of times that were judged, and so revisions; then the watch goes on as if nothing had been."""
    again: list[Message] = [message for message in minutes(lambda _: 9000, NOON - 60, NOON) if isinstance(message, Bin)]
    after = minutes(daily, NOON, NOON + 60)
    assert same(watch(USUAL, again, after), watch(USUAL, after))


def test_a_clock_that_is_set_forward_is_a_gap() -> None:
    ahead = NOON + 60
    judged = watch(USUAL, minutes(lambda minute: daily(minute - 60), ahead, ahead + 30))
    assert len(set(judged) & set(range(NOON, ahead))) == 0
    assert set(range(ahead, ahead + 30)) <= set(judged)


@pytest.mark.parametrize("seed", [1, 2])
def test_duplicates_and_disorder_change_nothing(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  # repeatable
    mixed: list[Message] = []
    for begin in range(NOON, NOON + 60, 10):
        bins = [bin_of(minute, daily(minute)) for minute in range(begin, begin + 10)] * 2
        dice.shuffle(bins)
        mixed += [*bins, *(progress(minute + 1) for minute in range(begin, begin + 10))]
    assert same(watch(USUAL, mixed), watch(USUAL, minutes(daily, NOON, NOON + 60)))


def test_a_revised_bin_never_reaches_the_model() -> None:
    late: list[Message] = [bin_of(NOON - 5, 9000, revision=2)]
    after = minutes(daily, NOON, NOON + 60)
    assert same(watch(USUAL, late, after), watch(USUAL, after))


def test_daylight_saving_is_few_anomalies_and_none_on_later_days() -> None:
    """The watch knows no zones: the day comes an hour early from one day on."""
    change = 7 * DAY
    days = minutes(lambda minute: daily(minute, 60 if minute >= change else 0), 0, change + 4 * DAY)
    found = anomalies(watch(days), change)
    assert len(found) <= 5
    assert [minute for minute in found if minute >= change + 2 * DAY] == []


def test_a_level_shift_is_an_anomaly_at_once_and_then_the_custom() -> None:
    judged = watch(USUAL, minutes(lambda minute: daily(minute) + 600, NOON, NOON + 2 * DAY))
    found = anomalies(judged, NOON)
    assert found[0] == NOON
    assert [minute for minute in found if minute >= NOON + DAY] == []


def test_a_new_series_is_silent_at_first() -> None:
    judged = watch(minutes(lambda minute: 5 if minute != 60 else 5000, 0, 140))
    assert anomalies(judged) == []


def test_a_constant_series_is_silent_until_it_moves() -> None:
    judged = watch(minutes(lambda minute: 40 if minute < DAY else 80, 0, 2 * DAY))
    found = anomalies(judged)
    assert found[0] == DAY
    assert [minute for minute in found if minute >= DAY + DAY // 2] == []
