"""The past of new series, as a real ClickHouse knows it, and how much of a large table is read for it."""

import time
from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

import sql
from analysis.detection import Points
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from contracts.names import SCORED_BINS_TABLE
from contracts.points import series_of
from contracts.series import Bin
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from jobs.score_rows import score_rows
from stores import clickhouse as sessions
from stores import history
from stores.history import MINUTES, New
from tests.conftest import RealPart

END = 1_560_000_000_000 // DAY_MS * DAY_MS  # in June 2019: of this file's own
DAYS = 14
POINTS = Lane("points", MINUTE_MS)
MANY = 4000
# Each minute has its rows twice over, as of two partitions of the log.
COUNTS = """
    INSERT INTO aggregates_1m
    SELECT toDateTime({from:UInt32} + intDiv(number, 200) % {minutes:UInt32} * 60, 'UTC'), 'VIEW', 'o',
           if(number % 200 = 0, {brand:String}, toString(number % 100)), 'c', {topic:UUID},
           intDiv(number, 100) % 2, 0, 1, 5, 0, now64(3)
    FROM numbers({minutes:UInt32} * 200)"""
BINS = """
    INSERT INTO bins
    SELECT 60, arrayJoin({series:Array(UInt64)}), toDateTime({from:UInt32} + number * 120, 'UTC'), {topic:UUID}, 0, 0,
           1, 2, 6, 1, 5, 26, 5, now64(3), today()
    FROM numbers(intDiv({minutes:UInt32}, 2))"""
SCORED = """
    INSERT INTO scored_bins (metric, series, resolution, start, revision, value, day)
    SELECT 'crowd', number % {many:UInt32}, 60,
           toDateTime({from:UInt32} + intDiv(number, {many:UInt32}) * 60, 'UTC'), 1, 7, today()
    FROM numbers({many:UInt32} * 500)"""


@pytest.fixture(scope="module")
def client(settings: Settings, clickhouse: RealPart) -> Iterator[Client]:
    with sessions.connect(settings) as client:
        yield client


def scored_minutes(metric: str, labels: dict[str, str], begin: int, end: int) -> list[ScoredBin]:
    return [
        ScoredBin(Bin(metric, labels, MINUTE_MS, start, start // MINUTE_MS % 10, 1, 1))
        for start in range(begin, end, MINUTE_MS)
    ]


def now() -> int:
    """When they are written: rows are kept for so long after that."""
    return int(time.time() * 1000)


def told(points: Points, number: int) -> list[tuple[int, float]]:
    mine = points.take(points.series == number)
    return list(zip(mine.times.tolist(), mine.values.tolist(), strict=True))


def test_what_was_scored_comes_back_of_any_series(client: Client) -> None:
    """Of points and of tags with whatever label; revised values, and gaps as gaps."""
    gauge, country = uuid4().hex, uuid4().hex
    bins = scored_minutes(gauge, {"host": "a"}, END - 600 * MINUTE_MS, END + 5 * MINUTE_MS)
    del bins[100:200]
    late = bins[7].bin
    revised = ScoredBin(Bin(gauge, late.labels, MINUTE_MS, late.start, 99, 2, 2), revised=True)
    tags = scored_minutes("user_tags_views", {"country": country}, END - 300 * MINUTE_MS, END)
    client.insert_arrow(SCORED_BINS_TABLE, score_rows([*bins, revised, *tags], now()))
    points = history.read(client, POINTS, {4: New(gauge, {"host": "a"}, END), 5: New(gauge, {}, END)}, DAYS)
    wanted = [(one.bin.start, float(one.bin.value)) for one in bins if one.bin.start < END]
    assert told(points, 4) == [(start, 99.0 if start == late.start else value) for start, value in wanted]
    assert told(points, 5) == []
    points = history.read(client, MINUTES, {0: New("user_tags_views", {"country": country}, END)}, DAYS)
    assert told(points, 0) == [(one.bin.start, float(one.bin.value)) for one in tags]
    assert history.having(client, POINTS, {4: New(gauge, {"host": "a"}, END)}, DAYS) == [], "hours teach nothing"


def test_points_that_were_never_scored_have_their_bins(client: Client) -> None:
    """A minute without points is zero for a counter, and nothing for a gauge."""
    minutes, name = 100, uuid4().hex
    ids = [series_of(name, kind, {"kind": kind}).id for kind in ("counter", "gauge")]
    begin = END - minutes * MINUTE_MS
    client.command(BINS, {"series": ids, "from": begin // 1000, "minutes": minutes, "topic": str(uuid4())})
    series = {number: New(name, {"kind": kind}, END) for number, kind in enumerate(("counter", "gauge"))}
    points = history.read(client, POINTS, series, DAYS)
    times = [begin + minute * MINUTE_MS for minute in range(minutes)]
    assert told(points, 0) == [(time, 0.0 if number % 2 else 6.0) for number, time in enumerate(times)]
    assert told(points, 1) == [(time, 3.0) for time in times[::2]]


def test_a_few_scores_hide_no_bins(client: Client) -> None:
    """Neither those since its first bin, while others of the question began later, nor those of an hour before it."""
    name, begin = uuid4().hex, END - 4 * DAY_MS
    ids = [series_of(name, "gauge", {"host": host}).id for host in ("a", "b")]
    client.command(BINS, {"series": ids, "from": begin // 1000, "minutes": 5760, "topic": str(uuid4())})
    live = scored_minutes(name, {"host": "a"}, END, END + 5 * MINUTE_MS)
    hour = scored_minutes(name, {"host": "b"}, END - 60 * MINUTE_MS, END)
    client.insert_arrow(SCORED_BINS_TABLE, score_rows([*live, *hour], now()))
    series = {0: New(name, {"host": "a"}, END), 1: New(name, {"host": "b"}, END + 5 * MINUTE_MS)}
    strangers = {number: New(name, {"host": str(number)}, END) for number in range(2, 500)}
    assert history.having(client, POINTS, series | strangers, DAYS) == [0, 1]
    points = history.read(client, POINTS, series, DAYS)
    for number in series:
        assert told(points, number) == [(time, 3.0) for time in range(begin, END, 2 * MINUTE_MS)]


def test_counts_are_read_for_what_was_never_scored_and_never_too_many(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    end, days, brand = END - 100 * DAY_MS, 8, uuid4().hex
    minutes = days * DAY_MS // MINUTE_MS
    begin = (end - days * DAY_MS) // 1000
    client.command(COUNTS, {"from": begin, "minutes": minutes, "brand": brand, "topic": str(uuid4())})
    new = {3: New("user_tags_views", {"brand": brand}, end)}
    assert len(told(history.read(client, MINUTES, new, days), 3)) == minutes
    assert history.having(client, MINUTES, new, days) == [3]
    monkeypatch.setattr(history, "MOST_ROWS", 200 * minutes * 6 // 10)
    assert len(told(history.read(client, MINUTES, new, days), 3)) == minutes // 2
    monkeypatch.setattr(history, "MOST_ROWS", 100)
    assert told(history.read(client, MINUTES, new, days), 3) == []
    monkeypatch.undo()
    totals = scored_minutes("user_tags_views", {}, end - 3 * DAY_MS, end)
    gap = slice(2000, 2100)
    client.insert_arrow(SCORED_BINS_TABLE, score_rows(totals[: gap.start] + totals[gap.stop :], now()))
    assert len(told(history.read(client, MINUTES, new, days), 3)) == minutes, "nobody watched all the time"
    client.insert_arrow(SCORED_BINS_TABLE, score_rows(totals[gap], now()))
    assert told(history.read(client, MINUTES, new, days), 3) == [], "it had no events while the total was watched"
    total = {4: New("user_tags_views", {}, end)}
    assert history.having(client, MINUTES, new | total, days) == [4]


def test_a_look_up_reads_a_small_share_of_what_was_scored(client: Client) -> None:
    """Two million rows of 4000 series; of four of them only their surroundings are read."""
    begin = (END - DAY_MS) // 1000
    client.command(SCORED, {"many": MANY, "from": begin})
    ids = list(range(0, MANY, MANY // 4))
    wanted = {"metrics": ["crowd"], "series": ids, "resolution": 60, "from": begin, "to": END // 1000}
    statement = sql.read("queries/history_scored")
    rows = client.query_arrow(statement, wanted)
    assert rows.num_rows == 4 * 500
    assert np.all(rows["value"].to_numpy() == 7)
    estimated = client.query(f"EXPLAIN ESTIMATE {statement}", wanted).named_results()
    assert 0 < sum(row["rows"] for row in estimated) < MANY * 500 / 5
