"""What `/api/v1/series` is asked, and which rows answer it."""

from datetime import datetime, timezone
from urllib.parse import urlencode

import pytest

from api.problems import Problem
from api.series_query import MONTHS, SeriesQuery, parse
from api.series_source import source_of

NOW = 1_646_092_800_000  # 2022-03-01T00:00:00Z, a Tuesday


def asked(**query: str) -> SeriesQuery:
    return parse(urlencode({"metric": "cpu", "stat": "average", **query}).encode(), NOW)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


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
    query = asked(step=step, **{"from": "now-8h"})
    assert source_of(query, query.begin, gone=True).words == words


@pytest.mark.parametrize(
    ("zone", "words"), [("Europe/Warsaw", "rollups of hours"), ("Asia/Kolkata", "bins of a minute")]
)
def test_days_of_other_zones_are_made_of_shorter_rows(zone: str, words: str) -> None:
    query = asked(step="1d", tz=zone, **{"from": "now-3d"})
    assert source_of(query, query.begin, gone=True).words == words


def test_quantiles_come_from_points_while_these_are_kept() -> None:
    query = asked(step="1d", stat="p99", **{"from": "now-3d"})
    assert source_of(query, query.begin, gone=False).statement == "series_quantiles"
    assert source_of(query, query.begin, gone=True).statement == "series_sketches"
    minutes = asked(step="5m", stat="p99", **{"from": "now-1h"})
    assert source_of(minutes, minutes.begin, gone=True).statement == "series_quantiles"


def test_slots_of_weeks_and_months() -> None:
    weeks = asked(step="1w", **{"from": "2022-02-16T10:00:00", "to": "2022-02-23T00:00:00"})
    assert list(weeks.starts()) == [at("2022-02-14"), at("2022-02-21")]
    months = asked(step="1mo", **{"from": "2021-12-31T23:59:59", "to": "2022-02-01T00:00:00"})
    assert (months.step, months.begin, months.end) == (MONTHS, at("2021-12-01"), at("2022-02-01"))
    assert list(months.starts()) == [at("2021-12-01"), at("2022-01-01")]


def test_compared_times() -> None:
    query = asked(step="1d", compare="1d,1mo", **{"from": "2022-03-31T00:00:00", "to": "2022-04-01T00:00:00"})
    assert query.compare == [("1d", at("2022-03-30"), at("2022-03-31")), ("1mo", at("2022-02-28"), at("2022-03-01"))]
    months = asked(step="1mo", compare="12mo", **{"from": "2022-03-01T00:00:00", "to": "2022-05-01T00:00:00"})
    assert months.compare == [("12mo", at("2021-03-01"), at("2021-05-01"))]
    with pytest.raises(Problem, match="months"):
        asked(step="1mo", compare="1d")


@pytest.mark.parametrize("query", [{"stat": "max"}, {"step": "10s"}, {"step": "1mo"}, {"group_by": "country"}])
def test_what_user_tags_cannot_answer(query: dict[str, str]) -> None:
    tags = asked(**{"metric": "user_tags_views", "stat": "sum", "step": "1m", **query})
    with pytest.raises(Problem):
        source_of(tags, tags.begin, gone=False)
