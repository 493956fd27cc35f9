"""Points that are rolled up, as the job writes them, and what rollups say that they do not."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from analysis.bin_counting import fold
from contracts.codec import Record
from contracts.names import BINS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import decode_points, encode_points
from contracts.points import Point, series_of
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from jobs.point_rows import bin_rows, point_rows, series_rows
from stores import clickhouse as sessions

HOUR_MS = 60 * MINUTE_MS
START = 1_640_995_200_000  # 2022-01-01T00:00:00Z, a Saturday
SPAN = 45 * DAY_MS
HOSTS = ("a", "b")
BEGINS: dict[str, Callable[[datetime], datetime]] = {
    "hour": lambda at: at.replace(minute=0, second=0, microsecond=0),
    "day": lambda at: at.replace(hour=0, minute=0, second=0, microsecond=0),
    "week": lambda at: datetime.fromtimestamp(
        (int(at.timestamp()) - 345_600) // 604_800 * 604_800 + 345_600, timezone.utc
    ),
    "month": lambda at: at.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
}


class World:
    """A database of its own into which points come as the job writes them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.points: list[Point] = []
        self._topic_id: UUID = uuid4()
        self._offset = 0

    def come(self, points: Sequence[Point], days_ago: int = 2) -> None:
        """One block of the log, that came in so many days ago."""
        now = int(time.time() * 1000) - days_ago * DAY_MS
        log = [
            Record(self._offset + at, START + SPAN, now, encode_points(points[at * 100 : at * 100 + 100]))
            for at in range(-(-len(points) // 100))
        ]
        self._offset += len(log)
        decoded = decode_points(log)
        with sessions.connect(self.settings) as client:
            series = series_rows(list(decoded.series.values()), now // DAY_MS)
            client.insert_arrow(POINT_SERIES_TABLE, series)
            client.insert_arrow(POINTS_TABLE, point_rows(decoded.points, self._topic_id, 0))
            client.insert_arrow(BINS_TABLE, bin_rows(fold(None, log, {}).counts, self._topic_id, 0))
        self.points += points

    def query(self, statement: str, **parameters: str) -> list[tuple[Any, ...]]:
        with sessions.connect(self.settings) as client:
            return [tuple(row) for row in client.query(statement, parameters).result_rows]

    def command(self, statement: str) -> None:
        with sessions.connect(self.settings) as client:
            client.command(statement)

    def expected(self, period: str) -> dict[tuple[int, int], list[Point]]:
        """The points of each series and period, which begins at these epoch seconds."""
        found: dict[tuple[int, int], list[Point]] = {}
        for point in self.points:
            begin = BEGINS[period](datetime.fromtimestamp(point.time / 1000, timezone.utc))
            found.setdefault((point.series.id, int(begin.timestamp())), []).append(point)
        return found


def make_points(seed: int, count: int) -> list[Point]:
    """Spread over six weeks of two hosts; no two at one time, so that the newest is known."""
    dice = random.Random(seed)  # noqa: S311  # repeatable
    times = dice.sample(range(START, START + SPAN), count)
    return [
        Point(series_of("rolled", "gauge", {"host": dice.choice(HOSTS)}), at, round(dice.gauss(50, 9), 3))
        for at in times
    ]


def differs(world: World, period: str) -> str | None:
    """What a table of rollups says that the points do not."""
    rows = world.query(
        "SELECT series, toUnixTimestamp(start) AS begin, sum(count), sum(sum), min(min), max(max), sum(sum_squares), "
        "argMax(last, last_time) FROM rollups FINAL WHERE period = {period:String} GROUP BY series, begin",
        period=period,
    )
    expected = world.expected(period)
    if {row[:2] for row in rows} != set(expected):
        return f"{len(rows)} rows of {len(expected)}"
    for series, begin, *found in rows:
        held = expected[series, begin]
        values = np.array([point.value for point in held])
        newest = max(held, key=lambda point: point.time).value
        sums = [len(held), values.sum(), values.min(), values.max(), (values**2).sum(), newest]
        if found != pytest.approx(sums, rel=1e-9):
            return f"{found} in place of {sums}"
    return None
