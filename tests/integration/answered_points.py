"""The points that answers are asked about, as the job writes them, and what is among them."""

import random
import time
from functools import cache
from uuid import UUID

from analysis.bin_counting import fold
from analysis.bins import always
from contracts.codec import Record
from contracts.names import BINS_TABLE, POINT_SERIES_TABLE, POINTS_TABLE
from contracts.point_codec import decode_points, encode_points
from contracts.points import Point, series_of
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from jobs.point_rows import bin_rows, point_rows, series_rows
from stores import clickhouse as sessions

TOPIC = UUID("00000000-0000-4000-8000-0000000000b1")
HOUR_MS = 60 * MINUTE_MS
NOON = 1_300_017_600_000  # 2011-03-13T12:00:00Z: of these tests' own
HOSTS = ("a", "b")


@cache
def points() -> list[Point]:
    """A gauge of two hosts over two hours with a gap, a histogram, and error codes; seeded."""
    dice = random.Random(5)  # noqa: S311  # repeatable
    found = []
    for at in range(NOON, NOON + 2 * HOUR_MS, 7000):
        if NOON + 30 * MINUTE_MS <= at < NOON + 40 * MINUTE_MS:
            continue
        host = dice.choice(HOSTS)
        found.append(Point(series_of("an/swers cpu", "gauge", {"host": host}), at, round(dice.gauss(50, 9), 1)))
        found.append(Point(series_of("answers_took", "histogram", {}), at, dice.expovariate(0.1)))
        labels = {"build": dice.choice(["1.0", "1.1"]), "code": str(dice.choice([-7, 404]))}
        found.append(Point(series_of("errors", "counter", labels), at, 1.0))
    return found


@cache  # every statistic is asked of the same slots
def values(name: str, begin: int, end: int, **labels: str) -> list[float]:
    return [
        point.value
        for point in points()
        if point.series.name == name
        and begin <= point.time < end
        and labels.items() <= dict(point.series.labels).items()
    ]


def insert(settings: Settings) -> None:
    """Every row twice."""
    now = int(time.time() * 1000)
    all_points = points()
    log = [
        Record(at, one[-1].time, now, encode_points(one))
        for at, one in enumerate(all_points[start : start + 50] for start in range(0, len(all_points), 50))
    ]
    decoded = decode_points(log)
    folded = fold(None, log, {1: always(["errors"])})
    with sessions.connect(settings) as client:
        for _ in range(2):
            client.insert_arrow(POINT_SERIES_TABLE, series_rows(list(decoded.series.values()), now // DAY_MS))
            client.insert_arrow(POINTS_TABLE, point_rows(decoded.points, TOPIC, 0))
            client.insert_arrow(BINS_TABLE, bin_rows(folded.counts, TOPIC, 0))
