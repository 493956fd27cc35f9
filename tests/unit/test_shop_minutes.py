"""When a minute of the shop is over: by its own stream's progress, of all shards, and what of errors it waits for."""

from collections.abc import Iterable
from typing import Literal

from analysis.shop_minutes import MOST_OPEN, OpenMinutes, ShopMinute, concerns, load
from contracts.series import Bin, Message, Progress
from contracts.times import MINUTE_MS

START = 1_646_092_800_000


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
    """Of the messages one by one, the state dumped and loaded between them."""
    found: list[ShopMinute] = []
    state = OpenMinutes()
    for message in messages:
        state = load(state.dump())
        found += state.take([message])
    return found


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


def test_what_waits_for_a_shop_that_stands_is_bounded() -> None:
    state = OpenMinutes()
    state.take([bin_of(minute, 1, "errors") for minute in range(3 * MOST_OPEN)])
    assert len(state.minutes) == MOST_OPEN
    assert state.take([closed(3 * MOST_OPEN)])[-1] == row(3 * MOST_OPEN - 1, errors=1)


def test_only_totals_errors_and_progress_of_minutes_concern_it() -> None:
    taken: list[Message] = [bin_of(0, 1), bin_of(0, 1, "errors", code="7"), closed(1), closed(1, stream="points")]
    assert all(map(concerns, taken))
    seconds: list[Message] = [Bin("errors", {}, 10_000, START, 1, 1, 1), Progress(0, 1, 10_000, START, "points")]
    passed: list[Message] = [bin_of(0, 1, brand="x"), bin_of(0, 1, "load"), *seconds]
    assert not any(map(concerns, passed))
