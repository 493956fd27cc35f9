"""What `/api/v1/series` is asked, and which rows answer it."""

import itertools
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from api.problems import Problem
from api.series_query import SeriesQuery, parse
from api.series_source import Source, choose
from contracts.settings import ClickHouse

NOW = 1_646_092_800_000  # 2022-03-01T00:00:00Z, a Tuesday


def asked(**query: str) -> SeriesQuery:
    return parse(urlencode({"metric": "cpu", "stat": "average", **query}).encode(), NOW)


TODAY = date(2022, 3, 1)
KEPT = ClickHouse()  # points 30 days, bins 90, hours 400, days 1500, weeks and months 4000


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def chosen(query: SeriesQuery, days_ago: int = 0) -> tuple[SeriesQuery, Source]:
    """For points the oldest of which came in so many days ago."""
    made, sources = choose(query, KEPT, TODAY, lambda bounds: date.fromordinal(TODAY.toordinal() - days_ago))
    return made, sources[0]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("10s", "points"),
        ("1m", "bins of a minute"),
        ("90m", "bins of a minute"),
        ("1h", "rollups of hours"),
        ("36h", "rollups of hours"),
        ("2d", "rollups of days"),
        ("2w", "rollups of weeks"),
        ("1mo", "rollups of months"),
    ],
)
def test_the_longest_rows_that_slots_are_made_of(step: str, words: str) -> None:
    assert chosen(asked(step=step, **{"from": "now-8h"}))[1].words == words


@pytest.mark.parametrize(
    ("zone", "words"), [("Europe/Warsaw", "rollups of hours"), ("Asia/Kolkata", "bins of a minute")]
)
def test_days_of_other_zones_are_made_of_shorter_rows(zone: str, words: str) -> None:
    assert chosen(asked(step="1d", tz=zone, **{"from": "now-3d"}))[1].words == words


def test_quantiles_come_from_points_while_these_are_kept() -> None:
    query = asked(step="1d", stat="p99", **{"from": "now-50d"})
    assert chosen(query, 29)[1].statement == "series_quantiles"
    assert chosen(query, 30)[1].statement == "series_sketches"


LONG_AGO = {"from": "2015-09-01T00:00:00", "to": "2015-09-02T00:00:00"}


@pytest.mark.parametrize(
    ("stat", "days_ago", "step", "words"),
    [
        ("average", 89, 300, "bins of a minute"),
        ("average", 90, 3600, "rollups of hours"),
        ("average", 400, 86_400, "rollups of days"),
        ("average", 1500, 604_800, "rollups of weeks"),
        ("p90", 29, 300, "points, exactly"),
        ("p90", 30, 3600, "sketches of hours, about"),
    ],
)
def test_auto_chooses_a_step_that_is_kept(stat: str, days_ago: int, step: int, words: str) -> None:
    query, source = chosen(asked(stat=stat, **LONG_AGO), days_ago)
    assert (query.step, source.words) == (step, words)


@pytest.mark.parametrize(
    ("stat", "step", "days_ago", "kept"),
    [
        ("average", "10s", 30, "1m"),
        ("average", "10s", 90, "1h"),
        ("average", "1m", 90, "1h"),
        ("average", "7m", 400, "1d"),
        ("average", "1h", 1500, "1w"),
        ("p50", "5m", 30, "1h"),
    ],
)
def test_an_explicit_step_that_is_gone_is_refused(stat: str, step: str, days_ago: int, kept: str) -> None:
    query = asked(stat=stat, step=step, **LONG_AGO)
    with pytest.raises(Problem, match=f"no longer kept of that time: ask for {kept} or auto") as refused:
        chosen(query, days_ago)
    assert (refused.value.status, refused.value.field) == (400, "step")


def test_what_nothing_can_tell_is_refused() -> None:
    with pytest.raises(Problem, match="nothing is kept"):
        chosen(asked(stat="p50", **LONG_AGO), 400)


def test_days_of_a_zone_without_whole_hours_become_shorter_steps() -> None:
    query, _ = chosen(asked(tz="Asia/Kolkata", **{"from": "2021-01-01T00:00:00", "to": "2021-12-31T00:00:00"}), 90)
    assert query.step == 21_600


def test_what_came_in_later_than_its_time_is_kept_longer() -> None:
    query = asked(step="1m", **LONG_AGO)
    assert chosen(query, 89)[1].words == "bins of a minute"


def test_a_compared_time_has_a_source_of_its_own() -> None:
    """And a step that is gone of it is refused as well: it would be laid over the asked one as if nothing had been."""
    query = asked(step="1m", compare="12mo", **{"from": "now-1h"})
    with pytest.raises(Problem, match="ask for 1h"):
        chosen(query, 365)
    assert choose(query, KEPT, TODAY, lambda bounds: None)[1][1].words == "bins of a minute"


def test_slots_of_weeks_and_months() -> None:
    weeks = asked(step="1w", **{"from": "2022-02-16T10:00:00", "to": "2022-02-23T00:00:00"})
    assert weeks.bounds() == [at("2022-02-14"), at("2022-02-21"), at("2022-02-28")]
    months = asked(step="1mo", **{"from": "2021-12-31T23:59:59", "to": "2022-02-01T00:00:00"})
    assert months.bounds() == [at("2021-12-01"), at("2022-01-01"), at("2022-02-01")]


def test_days_begin_at_midnight_of_the_zone_when_clocks_change() -> None:
    spring = asked(step="1d", tz="Europe/Warsaw", **{"from": "2021-03-27T12:00:00", "to": "2021-03-29T12:00:00"})
    assert spring.bounds() == [at(f"2021-03-{day}", "Europe/Warsaw") for day in (27, 28, 29, 30)]
    assert [end - begin for begin, end in itertools.pairwise(spring.bounds())] == [86_400, 82_800, 86_400]
    autumn = asked(step="1d", tz="Europe/Warsaw", **{"from": "2021-10-31T12:00:00", "to": "2021-10-31T13:00:00"})
    assert autumn.bounds() == [at("2021-10-31", "Europe/Warsaw"), at("2021-11-01", "Europe/Warsaw")]
    assert autumn.bounds()[1] - autumn.bounds()[0] == 25 * 3600


def test_weeks_and_months_are_the_zones() -> None:
    weeks = asked(step="1w", tz="Europe/Warsaw", **{"from": "2021-03-24T00:00:00", "to": "2021-04-01T00:00:00"})
    assert weeks.bounds() == [at(day, "Europe/Warsaw") for day in ("2021-03-22", "2021-03-29", "2021-04-05")]
    months = asked(step="1mo", tz="Europe/Warsaw", **{"from": "2021-03-01T00:00:00", "to": "2021-04-01T00:00:00"})
    assert months.bounds() == [at("2021-03-01", "Europe/Warsaw"), at("2021-04-01", "Europe/Warsaw")]
    assert chosen(months)[1].words == "rollups of hours"


def test_steps_below_a_day_have_one_length() -> None:
    query = asked(step="1h", tz="Europe/Warsaw", **{"from": "2021-03-28T00:00:00", "to": "2021-03-29T00:00:00"})
    assert len(query.bounds()) == 24
    assert {end - begin for begin, end in itertools.pairwise(query.bounds())} == {3600}


@pytest.mark.parametrize(
    ("step", "back", "begin"),
    [
        ("1h", "1d", "2021-03-27T06:00:00"),
        ("1h", "1w", "2021-03-21T06:00:00"),
        ("1h", "24h", "2021-03-27T05:00:00"),
        ("1h", "1mo", "2021-02-28T06:00:00"),
        ("1d", "1d", "2021-03-27T00:00:00"),
    ],
)
def test_compared_times_go_by_the_clock_on_the_wall(step: str, back: str, begin: str) -> None:
    """The clocks went forward that morning."""
    times = {"from": "2021-03-28T06:00:00", "to": "2021-03-28T09:00:00"}
    query = asked(step=step, compare=back, tz="Europe/Warsaw", **times)
    (_, own), (_, before) = query.compared()
    assert (before[0], len(before)) == (at(begin, "Europe/Warsaw"), len(own))


@pytest.mark.parametrize("back", ["999999w", "999999d", "999999h", "120mo"])
@pytest.mark.parametrize("step", ["1h", "1d"])
def test_times_before_all_times_are_compared_with_nothing(step: str, back: str) -> None:
    query = asked(step=step, compare=back, tz="Pacific/Kiritimati", **{"from": "1970-01-02", "to": "1970-01-04"})
    (_, own), (_, before) = query.compared()
    assert before == [0] * len(own)


def test_compared_times() -> None:
    query = asked(step="1d", compare="1d,1mo", **{"from": "2022-03-31T00:00:00", "to": "2022-04-01T00:00:00"})
    assert query.compared()[1:] == [
        ("1d", [at("2022-03-30"), at("2022-03-31")]),
        ("1mo", [at("2022-02-28"), at("2022-03-01")]),
    ]
    months = asked(step="1mo", compare="12mo", **{"from": "2022-03-01T00:00:00", "to": "2022-05-01T00:00:00"})
    assert months.compared()[1] == ("12mo", [at("2021-03-01"), at("2021-04-01"), at("2021-05-01")])
    with pytest.raises(Problem, match="months"):
        asked(step="1mo", compare="1d")


@pytest.mark.parametrize("query", [{"stat": "max"}, {"step": "10s"}, {"group_by": "country"}])
def test_what_user_tags_cannot_answer(query: dict[str, str]) -> None:
    tags = asked(**{"metric": "user_tags_views", "stat": "sum", "step": "1m", **query})
    with pytest.raises(Problem):
        chosen(tags)


@pytest.mark.parametrize(
    "query",
    [
        {"step": "999999w"},
        {"step": "420000w", "from": "0"},
        {"step": "1d", "compare": "9" * 5000 + "mo"},
        {"compare": ",".join(f"{hours}h" for hours in range(1, 12))},
    ],
)
def test_what_no_calendar_holds_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        asked(**query)
    assert refused.value.status == 400


def test_a_comparison_that_is_named_twice_is_made_once() -> None:
    assert list(asked(compare="1d,1w,1d").compare) == ["1d", "1w"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"from": "0", "to": "4294967235999", "step": "1mo"}, "rollups of months"),
        ({"from": "0", "to": "1646006400000", "step": "1w"}, "rollups of weeks"),
    ],
)
def test_bounds_that_the_store_cuts_off_change_no_source(query: dict[str, str], words: str) -> None:
    _, (source,) = choose(asked(**query), KEPT, TODAY, lambda _: None)
    assert source.words == words


def test_user_tags_are_compared_by_whole_minutes() -> None:
    tags = asked(metric="user_tags_views", stat="sum", step="1m", compare="30s")
    with pytest.raises(Problem, match="whole minutes"):
        choose(tags, KEPT, TODAY, lambda _: None)
