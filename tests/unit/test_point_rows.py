"""Points as rows of their table."""

import random
from uuid import UUID

from contracts.codec import Record
from contracts.point_codec import decode_points, encode_points
from contracts.points import Point, series_of
from jobs.point_rows import point_rows
from tests.unit.strategies import NOW

TOPIC = UUID(int=3)


def test_rows_stand_in_the_order_of_the_table() -> None:
    """Late points among them, and equal ones, which keep the order of the log."""
    dice = random.Random(3)  # noqa: S311  # repeatable
    all_series = [series_of("cpu", "gauge", {"host": str(host)}) for host in range(20)]
    for latest in (0, 50):
        points = [
            [Point(dice.choice(all_series), NOW - 1000 + at - dice.randint(0, latest), float(at)) for _ in range(3)]
            for at in range(100)
        ]
        log = [Record(at, NOW, NOW, encode_points(held)) for at, held in enumerate(points)]
        decoded = decode_points(log).points
        rows = point_rows(decoded, TOPIC, 1)
        names = ["series", "time", "offset", "line", "value"]
        found = list(zip(*(rows[name].to_pylist() for name in names), strict=True))
        assert found == sorted(found, key=lambda row: row[:4])
        times = rows["time"].cast("int64").to_pylist()
        back = zip(rows["series"].to_pylist(), times, rows["value"].to_pylist(), strict=True)
        sent = zip(*(decoded[name].to_pylist() for name in ("series", "time", "value")), strict=True)
        assert sorted(back) == sorted(sent)


def test_no_points_make_no_rows() -> None:
    assert point_rows(decode_points([]).points, TOPIC, 0).num_rows == 0
