"""Which bins are judged, when, and with what value; and that the state survives at any moment."""

import random
from collections import Counter
from collections.abc import Iterable
from math import isnan, sin, tau

import msgspec
import numpy as np
import pytest

from analysis.detection import Points
from analysis.detectors import twintail
from analysis.watch import feed as feeds
from analysis.watch.feed import Changes, Feed, learn
from analysis.watch.history import NONE, with_quiet
from analysis.watch.lane import Lane
from analysis.watch.live import OWN_ROOM
from analysis.watch.scored import ScoredBin
from contracts.names import CANARY_METRIC
from contracts.series import Bin, Message, Progress
from contracts.times import DAY_MS, MINUTE_MS

START = 1_651_363_200_000  # 2022-05-01T00:00:00Z
DAY = DAY_MS // MINUTE_MS
MOST = 1000
LANE = Lane("user-tags", MINUTE_MS)


def new_feed(most: int = MOST) -> Feed:
    return Feed(LANE, twintail.detector, most)


def bin_of(minute: int, value: float, series: str = "a", revision: int | None = None) -> Bin:
    count = round(value)
    return Bin("clicks", {"shop": series}, MINUTE_MS, START + minute * MINUTE_MS, value, count, revision or count)


def progress(minute: int, shard: int = 0, shards: int = 1) -> Progress:
    """All bins before `minute` are closed."""
    return Progress(shard, shards, MINUTE_MS, START + minute * MINUTE_MS)


def judged(stream: Iterable[ScoredBin | Progress]) -> list[tuple[int, str, float]]:
    """Minute, series and value of what was scored, in order."""
    return [
        ((one.bin.start - START) // MINUTE_MS, one.bin.labels["shop"], float(one.bin.value))
        for one in stream
        if isinstance(one, ScoredBin) and not one.revised
    ]


def test_a_bin_is_judged_when_progress_has_passed_it() -> None:
    feed = new_feed()
    assert feed.take([bin_of(0, 3), bin_of(1, 4)]).stream == []
    assert feed.take([progress(0)]).stream == [progress(0)]
    stream = feed.take([progress(1)]).stream
    assert judged(stream) == [(0, "a", 3)]
    assert stream[-1] == progress(1)  # after what it closes
    assert judged(feed.take([progress(2)]).stream) == [(1, "a", 4)]


def test_a_quiet_series_is_zero_once_progress_has_passed() -> None:
    feed = new_feed()
    feed.take([bin_of(0, 3), bin_of(0, 5, "b"), progress(1)])
    assert judged(feed.take([bin_of(1, 4)]).stream) == []
    assert judged(feed.take([progress(2)]).stream) == [(1, "a", 4), (1, "b", 0)]


def test_when_all_are_quiet_all_are_zero() -> None:
    feed = new_feed()
    feed.take([bin_of(0, 3), progress(1)])
    assert judged(feed.take([progress(2), progress(3)]).stream) == [(1, "a", 0), (2, "a", 0)]


def test_of_time_that_progress_leapt_over_only_bins_with_an_event_are_known() -> None:
    """The platform was down for hours: nobody counted, and nothing is zero."""
    feed = new_feed()
    feed.take([bin_of(0, 3), bin_of(0, 5, "b"), progress(1)])
    stream = feed.take([bin_of(200, 7), progress(300)]).stream
    assert judged(stream) == [(200, "a", 7), (200, "b", 0)]


def test_a_series_is_not_zero_before_its_first_bin() -> None:
    feed = new_feed()
    feed.take([bin_of(0, 3), progress(1)])
    stream = feed.take([bin_of(3, 1, "b"), bin_of(2, 1, "b"), bin_of(1, 1), progress(4)]).stream
    assert judged(stream) == [(1, "a", 1), (2, "a", 0), (2, "b", 1), (3, "a", 0), (3, "b", 1)]


def test_what_is_not_counted_is_unknown_when_it_is_quiet() -> None:
    """A temperature is not zero because nobody read it; errors are."""
    feed = Feed(Lane("points", MINUTE_MS), twintail.detector, MOST)
    values = {"sum": 40.0, "min": 10.0, "max": 30.0, "sum_squares": 1000.0, "last": 30.0}
    gauge = Bin("temperature", {"shop": "a"}, MINUTE_MS, START, 20.0, 2, 2, values)
    counter = Bin("errors", {"shop": "b"}, MINUTE_MS, START, 40.0, 2, 2, values)
    ends = [Progress(0, 1, MINUTE_MS, START + minute * MINUTE_MS, "points") for minute in (1, 2)]
    assert judged(feed.take([gauge, counter, *ends]).stream) == [(0, "a", 20), (0, "b", 40), (1, "b", 0)]


def test_a_series_that_is_over_is_not_zero_for_ever() -> None:
    feed = new_feed()
    feed.take([bin_of(0, 3), progress(1)])
    later = feeds.FORGET_MS // MINUTE_MS + 1
    assert judged(feed.take([bin_of(later, 1, "b"), progress(later + 1)]).stream) == [(later, "b", 1)]
    back = feed.take([bin_of(later + 1, 2), progress(later + 2)]).stream
    assert judged(back) == [(later + 1, "a", 2), (later + 1, "b", 0)]


def test_the_slowest_shard_decides() -> None:
    feed = new_feed()
    feed.take([progress(0, 0, 2), progress(0, 1, 2)])
    assert judged(feed.take([bin_of(0, 3), progress(1, 0, 2)]).stream) == []
    stream = feed.take([bin_of(0, 5, "b"), progress(1, 1, 2)]).stream
    assert judged(stream) == [(0, "a", 3), (0, "b", 5)]
    assert stream[-2:] == [progress(1, 0, 2), progress(1, 1, 2)]


def test_shards_of_a_former_cut_hold_nobody_up() -> None:
    feed = new_feed()
    feed.take([progress(0, 0, 2), progress(0, 1, 2), bin_of(0, 3)])
    assert judged(feed.take([progress(1, 0, 1)]).stream) == [(0, "a", 3)]


def test_of_copies_the_highest_revision_is_judged_once() -> None:
    feed = new_feed()
    copies = [bin_of(0, 3, revision=3), bin_of(0, 9, revision=9), bin_of(0, 3, revision=3)]
    assert judged(feed.take([*copies, progress(1), progress(1)]).stream) == [(0, "a", 9)]


def test_a_revision_is_handed_on_and_teaches_nothing() -> None:
    feed, other = new_feed(), new_feed()
    for each in (feed, other):
        each.take([bin_of(0, 3), progress(1)])
    late = bin_of(0, 400)
    assert feed.take([late]).stream == [ScoredBin(late, revised=True)]
    one, two = (each.take([bin_of(1, 3), progress(2)]) for each in (feed, other))
    assert one.changes == two.changes


def test_beyond_the_most_series_none_is_watched() -> None:
    feed = new_feed(most=1)
    assert judged(feed.take([bin_of(0, 3), bin_of(0, 5, "b"), progress(1)]).stream) == [(0, "a", 3)]
    assert feed.live.refused == 1


def test_the_platforms_own_series_have_room_where_others_have_none() -> None:
    """A canary that is refused would look like a broken way of alerts."""
    feed = new_feed(most=1)
    own = [bin_of(0, 1, str(number)) for number in range(OWN_ROOM + 9)]
    health: list[Message] = [msgspec.structs.replace(one, metric="tidewatch_link_ready") for one in own]
    canary = Bin(CANARY_METRIC, {}, MINUTE_MS, START, 1, 1, 1)
    stream = feed.take([bin_of(0, 3), bin_of(0, 5, "b"), *health, canary, progress(1)]).stream
    watched = Counter(one.bin.metric for one in stream if isinstance(one, ScoredBin))
    assert watched == {"clicks": 1, "tidewatch_link_ready": OWN_ROOM, CANARY_METRIC: 1}


def day(minute: int) -> float:
    return round(100 + 50 * sin(minute * tau / DAY) + random.Random(minute).gauss(0, 3))  # noqa: S311  # repeatable


def keep(pages: dict[str, bytes], changes: Changes) -> None:
    for name, data in changes.items():
        pages.pop(name, None)
        if data is not None:
            pages[name] = data


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment_changes_nothing(seed: int) -> None:
    """The state that was kept, and nothing else, goes on as if there had been no kill."""
    dice = random.Random(seed)  # noqa: S311  # repeatable
    messages: list[Message] = [progress(0, 0, 2), progress(0, 1, 2)]
    for minute in range(400):
        some = [bin_of(minute, day(minute), name) for name in "abc" if dice.random() < 0.8]
        messages += [*some, *(progress(minute, shard, 2) for shard in (0, 1))]
    whole = new_feed().take(messages).stream
    pages: dict[str, bytes] = {}
    parts: list[ScoredBin | Progress] = []
    while messages:
        cut = dice.randrange(1, 60)
        taken = Feed(LANE, twintail.detector, MOST, pages).take(messages[:cut])
        messages = messages[cut:]
        parts += taken.stream
        keep(pages, taken.changes)
    assert list(map(repr, parts)) == list(map(repr, whole))  # nan is not equal to itself
    assert any(isinstance(one, ScoredBin) and one.score > 0 for one in whole)


def test_a_bin_rewrites_little() -> None:
    series = 1000
    feed = new_feed(series)
    for minute in range(2):
        bins = [bin_of(minute, 5, str(name)) for name in range(series)]
        changes = feed.take([*bins, progress(minute + 1)]).changes
    assert sum(len(data) for data in changes.values() if data) < 1200 * series


def of_another_detector() -> dict[str, bytes]:
    """What is kept of a feed of two series that another detector judged."""
    pages: dict[str, bytes] = {}
    feed = new_feed()
    for hour in range(-24, 0):
        keep(pages, feed.take([bin_of(hour * 60, 3), bin_of(hour * 60, 5, "b"), progress(hour * 60 + 1)]).changes)
    keep(pages, feed.begin([0, 1], []))
    pages["reach"] = pages["reach"].replace(b"TwinTail", b"TwinHead")
    return pages


def test_state_of_another_detector_is_dropped_and_the_series_stay() -> None:
    pages = of_another_detector()
    feed = Feed(LANE, twintail.detector, MOST, pages)
    assert feed.live.unasked(9) == [0, 1]
    taken = feed.take([bin_of(1, 3), bin_of(1, 0, "b"), progress(2)])
    assert judged(taken.stream) == [(1, "a", 3), (1, "b", 0)]
    stale = {name for name in pages if name.startswith("slots/")} - set(taken.changes)
    assert not stale


def test_what_is_learnt_in_place_of_a_dropped_state_is_kept() -> None:
    """Also when it is before the first bins that come."""
    pages = of_another_detector()
    feed = Feed(LANE, twintail.detector, MOST, pages)
    keep(pages, feed.begin([0], [learn(twintail.detector, history_of(8))]))
    keep(pages, feed.take([bin_of(1, 3), progress(2)]).changes)
    restored = Feed(LANE, twintail.detector, MOST, pages)
    for minute in range(61, DAY, 60):
        one, two = (each.take([bin_of(minute, day(minute)), progress(minute + 1)]) for each in (feed, restored))
        assert list(map(repr, one.stream)) == list(map(repr, two.stream))


def test_after_another_restart_histories_are_asked_for_all_the_same() -> None:
    pages = of_another_detector()
    keep(pages, Feed(LANE, twintail.detector, MOST, pages).take([progress(1, 0, 2)]).changes)
    assert Feed(LANE, twintail.detector, MOST, pages).live.unasked(9) == [0, 1]


def history_of(days: int, number: int = 0) -> Points:
    minutes = np.arange(-days * DAY, 0)
    values = np.array([day(int(minute)) for minute in minutes])
    return with_quiet({number: (START + minutes * MINUTE_MS, values)}, {number: START}, MINUTE_MS)


def test_a_series_with_a_history_is_judged_from_its_first_bins() -> None:
    feed = new_feed()
    feed.take([bin_of(0, day(0)), bin_of(0, 1, "b"), progress(1)])
    assert feed.live.unasked(9) == [0, 1]
    feed.begin([0, 1], [learn(twintail.detector, history_of(8))])
    assert feed.live.unasked(9) == []
    stream = feed.take([bin_of(1, 400), bin_of(1, 1, "b"), progress(2)]).stream
    a, b = (one for one in stream if isinstance(one, ScoredBin))
    assert a.score > twintail.THRESHOLD
    assert a.lower < day(1) < a.upper
    assert b.score == 0  # it has no history: nothing is said of it yet
    assert isnan(b.upper)


def test_a_short_history_teaches_nothing() -> None:
    feed, other = new_feed(), new_feed()
    for each in (feed, other):
        each.take([bin_of(0, 3), progress(1)])
    feed.begin([0], [learn(twintail.detector, history_of(1))])
    other.begin([0], [])
    one, two = (each.take([bin_of(1, 3), progress(2)]) for each in (feed, other))
    assert one.changes == two.changes


def test_what_is_missing_in_a_history_is_zero() -> None:
    begins, values = np.array([0, 180_000]), np.array([5.0, 7.0])
    points = with_quiet({4: (begins, values)}, {4: 300_000}, MINUTE_MS)
    assert points.times.tolist() == [0, 60_000, 120_000, 180_000, 240_000]
    assert points.values.tolist() == [5, 0, 0, 7, 0]
    assert set(points.series.tolist()) == {4}
    assert with_quiet({4: (begins[:0], values[:0])}, {4: 300_000}, MINUTE_MS) == NONE
