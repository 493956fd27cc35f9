"""From points to records: each to its partition, within the cap on series, or all of them once."""

import pytest

from api.collect.point_parse import Numbered, PointPreparer, read_points
from api.collect.prepared import SMALL_LINES, Bounds
from api.collect.series_cap import SeriesCap
from api.problems import Problem
from contracts.codec import Record
from contracts.point_codec import decode_points
from contracts.points import InvalidPoint, Point, encode_point, series_of
from contracts.times import DAY_MS
from tests.unit.found_points import NOW

BOUNDS = Bounds(partitions=3, rows=100, record_bytes=10**6)


class TestPreparer:
    @pytest.mark.parametrize("count", [1, SMALL_LINES, SMALL_LINES + 1, 1000])
    def test_every_point_goes_to_the_partition_of_its_series_in_order(self, count: int) -> None:
        points = [Point(series_of(f"m{at % 7}", "gauge", {}), NOW, float(at)) for at in range(count)]
        prepared = PointPreparer(100).prepare(map(Numbered, range(count), points), NOW, BOUNDS)
        assert prepared.accepted == count
        log = [Record(at, one.event_time, NOW, one.value) for at, one in enumerate(prepared.records)]
        log += [Record(at, NOW, NOW, line.json) for at, line in enumerate(prepared.lines, len(log))]
        read, series, rejects = decode_points(log)
        assert rejects == []
        found: dict[str, list[float]] = {}
        for identity, value in zip(read["series"].to_pylist(), read["value"].to_pylist(), strict=True):
            found.setdefault(series[identity].name, []).append(value)
        assert found == {f"m{at}": [float(value) for value in range(at, count, 7)] for at in range(min(count, 7))}
        for record in prepared.records:
            assert record.rows <= BOUNDS.rows
            series = decode_points([Record(0, NOW, NOW, record.value)]).series
            assert {one.shard % BOUNDS.partitions for one in series.values()} == {record.partition}
        for line in prepared.lines:
            assert line.shard == next(one.series.shard for one in points if encode_point(one) == line.json)

    def test_what_is_beyond_the_cap_is_told_line_by_line(self) -> None:
        points = [Point(series_of("m", "gauge", {"id": str(at % 5)}), NOW, 0.0) for at in range(10)]
        prepared = PointPreparer(3).prepare(map(Numbered, range(1, 11), points), NOW, BOUNDS)
        assert prepared.accepted == 6
        assert [error.line for error in prepared.errors] == [4, 5, 9, 10]
        assert "as many as are allowed" in prepared.errors[0].reason


def test_the_cap_is_of_a_day_and_of_a_metric() -> None:
    cap = SeriesCap(2)
    one, two, three, other = (series_of(name, "gauge", {"id": str(at)}) for at, name in enumerate("aaab"))
    for series in (one, two, one, other):
        cap.admit(series, NOW)
    with pytest.raises(InvalidPoint):
        cap.admit(three, NOW)
    cap.admit(three, NOW + DAY_MS)


def test_nobody_sends_canaries_and_the_platform_may_send_its_health() -> None:
    lines = b'{"name":"tidewatch_canary","kind":"counter","value":1}\n{"name":"tidewatch_lag_records","value":1}'
    prepared = PointPreparer(3).of(read_points)(lines, NOW, BOUNDS)
    assert [(error.line, error.field, error.reason) for error in prepared.errors] == [
        (1, "name", "tidewatch_canary is the platform's own; it cannot be sent")
    ]
    assert prepared.accepted == 1


class TestOnce:
    def lines(self, count: int) -> bytes:
        return b"\n".join(b'{"name":"m","value":%d,"labels":{"n":"%d"}}' % (at, at % 7) for at in range(count))

    @pytest.mark.parametrize("count", [1, SMALL_LINES + 1, 500])
    def test_a_body_with_a_key_is_one_record_of_the_keys_partition(self, count: int) -> None:
        prepare = PointPreparer(1000).of(read_points)
        found = {
            key: prepare(self.lines(count), NOW, BOUNDS._replace(once=key)) for key in ("job-1", "job-2", "job-17")
        }
        for key, prepared in found.items():
            (record,) = prepared.records
            assert (record.once, record.rows, prepared.lines) == (key, count, [])
            decoded = decode_points([Record(0, NOW, NOW, record.value)])
            assert decoded.points["value"].to_pylist() == list(range(count))
        again = prepare(self.lines(3), NOW, BOUNDS._replace(once="job-17"))
        assert again.records[0].partition == found["job-17"].records[0].partition
        assert len({prepared.records[0].partition for prepared in found.values()}) > 1

    def test_a_body_too_large_for_one_record_is_413(self) -> None:
        with pytest.raises(Problem) as caught:
            PointPreparer(1000).of(read_points)(self.lines(100), NOW, BOUNDS._replace(once="a", record_bytes=100))
        assert caught.value.status == 413
