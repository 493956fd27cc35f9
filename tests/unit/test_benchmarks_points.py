"""What the figures of points rest on: the points that are made."""

import numpy as np

from benchmarks.metrics import payloads, sums
from benchmarks.rig.points import PointStream
from contracts.codec import Record, is_arrow
from contracts.point_codec import decode_points
from contracts.times import MINUTE_MS
from testbed.generator import START_MS

STREAM = PointStream(seed=1, points=3000, a_minute=1000, series=40)


def test_points_are_the_same_in_whatever_pieces_they_are_made() -> None:
    whole = STREAM.batch(0, 3000)
    pieces = list(STREAM.batches(70))
    assert np.array_equal(whole.series, np.concatenate([piece.series for piece in pieces]))
    assert np.array_equal(whole.time, np.concatenate([piece.time for piece in pieces]))
    assert np.array_equal(whole.value, np.concatenate([piece.value for piece in pieces]))
    assert set(whole.series) == set(range(40))
    assert PointStream(1, 3000, 1000, 40, in_turn=True).batch(0, 81).series.tolist() == [*range(40), *range(40), 0]


def test_records_hold_all_points_and_each_partition_its_series() -> None:
    found: list[tuple[int, int, float]] = []
    for offset, payload in enumerate(payloads(STREAM, 2)):
        assert is_arrow(payload.value)
        points, series, rejects = decode_points([Record(offset, payload.event_time, payload.event_time, payload.value)])
        assert rejects == []
        assert {one.shard % 2 for one in series.values()} <= {offset % 2}
        found += zip(*(points[name].to_pylist() for name in ("time", "series", "value")), strict=True)
    whole = STREAM.batch(0, 3000)
    ids = [STREAM.all_series[number].id for number in whole.series.tolist()]
    assert sorted(found) == sorted(zip(whole.time.tolist(), ids, whole.value.tolist(), strict=True))


def test_what_must_come_out_is_counted_by_minute() -> None:
    whole = STREAM.batch(0, 3000)
    for minute, (count, total) in sums(STREAM).items():
        held = whole.value[whole.time // MINUTE_MS == minute]
        assert (count, total) == (len(held), held.sum())
    assert set(sums(STREAM)) == {START_MS // MINUTE_MS + at for at in range(3)}
