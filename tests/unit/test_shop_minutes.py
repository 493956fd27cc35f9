"""When a minute of the shop is over: by its own stream's progress, of all shards, and what of errors it waits for."""

from collections.abc import Iterable, Mapping
from typing import Literal

import pytest

from analysis import shop_minutes
from analysis.shop_minutes import MOST_OPEN, OpenMinutes, ShopMinute, concerns
from contracts.series import Bin, Message, Progress
from contracts.times import MINUTE_MS

START = 1_646_092_800_000
LATENESS = 10 * MINUTE_MS


def bin_of(minute: int, value: float, metric: str = "user_tags_views", revision: int = 1, **labels: str) -> Bin:
    return Bin(metric, labels, MINUTE_MS, START + minute * MINUTE_MS, value, 1, revision)


def closed(
    minute: int, shard: int = 0, shards: int = 1, stream: Literal["user-tags", "points"] = "user-tags"
) -> Progress:
    """All before this minute is."""
    return Progress(shard, shards, MINUTE_MS, START + minute * MINUTE_MS, stream)


def row(minute: int, views: float = 0, errors: float = 0) -> ShopMinute:
    return ShopMinute(START + (minute + 1) * MINUTE_MS - 1, views, 0.0, 0.0, errors)


def rows(*messages: Message) -> list[ShopMinute]:
    """Of the messages one by one, each by one that knows the kept pages alone."""
    found: list[ShopMinute] = []
    pages: dict[str, bytes] = {}
    for message in messages:
        state = OpenMinutes(LATENESS, pages)
        found += state.take([message])
        pages = kept(pages, state)
    return found


def kept(pages: Mapping[str, bytes], state: OpenMinutes) -> dict[str, bytes]:
    """The pages with the changes of the state."""
    found = {**pages, **state.changes()}
    return {name: data for name, data in found.items() if data is not None}


def test_points_that_are_far_ahead_close_nothing() -> None:
    ahead: Iterable[Message] = [closed(minute, stream="points") for minute in range(1, 60)]
    assert rows(bin_of(0, 5), *ahead) == []
    assert rows(*ahead, bin_of(0, 5), closed(1)) == [row(0, views=5)]


def test_all_shards_must_have_come_so_far() -> None:
    assert rows(closed(2, 0, 2), bin_of(1, 5)) == []
    assert rows(closed(2, 0, 2), bin_of(1, 5), closed(1, 1, 2)) == [row(0)]
    assert rows(closed(2, 0, 2), bin_of(1, 5), closed(1, 1, 2), closed(2, 1, 2)) == [row(0), row(1, views=5)]


def test_errors_are_waited_for_where_points_flow() -> None:
    shop: list[Message] = [bin_of(1, 5), closed(2)]
    assert rows(closed(1, stream="points"), *shop) == []
    errors: list[Message] = [bin_of(1, 7, "errors", code="3"), closed(2, stream="points")]
    assert rows(closed(1, stream="points"), *shop, *errors) == [row(1, views=5, errors=7)]


def test_points_that_never_were_or_stand_hold_up_nothing_for_long() -> None:
    assert rows(closed(1), bin_of(1, 5), closed(2)) == [row(0), row(1, views=5)]
    standing: list[Message] = [closed(1, stream="points"), bin_of(1, 5)]
    assert rows(*standing, closed(2), closed(3)) == []
    assert rows(*standing, closed(2), closed(3), closed(4)) == [row(1, views=5)]


def test_a_bin_that_comes_again_counts_once_and_a_late_one_not_at_all() -> None:
    twice = [
        bin_of(0, 3, "errors", 1, code="1"),
        bin_of(0, 4, "errors", 2, code="1"),
        bin_of(0, 3, "errors", 1, code="1"),
    ]
    other = bin_of(0, 10, "errors", code="2")
    assert rows(*twice, other, closed(1), bin_of(0, 99), closed(1)) == [row(0, errors=14)]


def test_a_bin_that_was_revised_has_its_newest_value() -> None:
    lower = [bin_of(0, 9, "errors", revision=1), bin_of(0, -5, "errors", revision=2)]
    assert rows(bin_of(0, 3), *lower, closed(1)) == [row(0, 3, -5)]


def test_minutes_that_progress_leapt_over_are_no_rows() -> None:
    assert rows(closed(1), closed(500_000), bin_of(500_000, 5), closed(500_001)) == [
        row(0),
        row(499_999),
        row(500_000, views=5),
    ]


def test_errors_before_the_shop_said_anything_are_no_rows() -> None:
    """Nobody knows that there were no visitors then."""
    errors: list[Message] = [bin_of(minute, 1, "errors") for minute in range(5)]
    assert rows(*errors, closed(5, stream="points"), bin_of(3, 7), closed(5)) == [row(3, 7, 1), row(4, 0, 1)]


def test_a_shop_that_stands_leaves_sums_of_errors_and_they_are_right_when_it_goes_on() -> None:
    codes, minutes = 50, 100
    pages: dict[str, bytes] = {}
    state = OpenMinutes(LATENESS)
    state.take([bin_of(0, 5), closed(1)])
    for minute in range(1, minutes):
        errors: list[Message] = [bin_of(minute, 2, "errors", code=str(code)) for code in range(codes)]
        revised = bin_of(max(minute - 9, 1), 3, "errors", 2, code="7")
        too_late = bin_of(max(minute - 20, 1), 9, "errors", 3, code="8") if minute > 30 else closed(1)
        assert state.take([*errors, closed(minute + 1, stream="points"), revised, too_late]) == []
        before, pages = pages, kept(pages, state)
        assert sum(pages[name] != before.get(name) for name in pages) <= 5, "few pages change"
        assert state.held <= 11 * codes
    assert sum(map(len, pages.values())) < 12 * codes * 40 + minutes * 40
    found = OpenMinutes(LATENESS, pages).take([bin_of(minutes - 1, 6), closed(minutes)])
    assert found[0] == row(1, errors=2 * codes + 1)
    assert found[50] == row(51, errors=2 * codes + 1)
    assert found[-1] == row(minutes - 1, 6, 2 * codes)
    assert len(found) == minutes - 1


def test_beyond_the_most_bins_the_oldest_minutes_are_summed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_minutes, "MOST_BINS", 20)
    state = OpenMinutes(LATENESS)
    for minute in range(4):
        state.take([bin_of(minute, 1, "errors", code=str(code)) for code in range(9)])
    assert state.held == 18
    state.take([bin_of(minute, 2, "errors", 2, code="0") for minute in range(4)])
    assert state.take([bin_of(0, 0), closed(4)]) == [row(minute, 0, 9 + minute // 2) for minute in range(4)]


def test_a_minute_of_which_more_is_to_come_is_not_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_minutes, "MOST_BINS", 3)
    state = OpenMinutes(LATENESS)
    state.take([bin_of(0, 0)])
    for code in range(10):
        state.take([bin_of(0, 1, "errors", code=str(code))])
    assert state.take([closed(1)]) == [row(0, 0, 10)]


def test_what_waits_for_a_shop_that_stands_is_bounded() -> None:
    state = OpenMinutes(LATENESS)
    state.take([bin_of(minute, 1, "errors") for minute in range(3 * MOST_OPEN)])
    assert len(state) == MOST_OPEN
    assert state.take([closed(3 * MOST_OPEN)])[-1] == row(3 * MOST_OPEN - 1, errors=1)


def test_only_totals_errors_and_progress_of_minutes_concern_it() -> None:
    taken: list[Message] = [bin_of(0, 1), bin_of(0, 1, "errors", code="7"), closed(1), closed(1, stream="points")]
    assert all(map(concerns, taken))
    seconds: list[Message] = [Bin("errors", {}, 10_000, START, 1, 1, 1), Progress(0, 1, 10_000, START, "points")]
    passed: list[Message] = [bin_of(0, 1, brand="x"), bin_of(0, 1, "load"), *seconds]
    assert not any(map(concerns, passed))
