"""Bins: what numpy and plain Python say of the points, however the log is cut into pieces."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis import bin_partials, bins, blocks
from analysis.bin_counting import BinCount, fold
from contracts.codec import Record
from contracts.point_codec import decode_points, encode_points, encode_points_arrow
from contracts.points import Point, Series, series_of
from contracts.series import Bin, decode, encode
from contracts.times import MINUTE_MS
from contracts.watched_bins import Span
from tests.unit.strategies import NOW, pieces

# Of ten seconds where rules watch it.
SPANS = (Span(NOW - 3 * MINUTE_MS, NOW - 2 * MINUTE_MS - 10_000), Span(NOW - MINUTE_MS))
FINE = {1: bins.always(["errors"]), 10: {"watched": SPANS, **bins.always(["errors"])}}
RESOLUTIONS = {"errors": (60, 1, 10), "watched": (60, 10), "cpu": (60,)}
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-100, 100)
SERIES = st.builds(
    series_of,
    st.sampled_from(sorted(RESOLUTIONS)),
    st.sampled_from(["gauge", "counter"]),
    st.dictionaries(st.just("host"), st.sampled_from("ab")),
)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Records in both formats, with bad lines, whose points are up to three minutes late, some at equal times."""
    log = []
    for offset in range(draw(st.integers(0, 8))):
        timestamp = NOW + draw(st.integers(0, 3)) * MINUTE_MS // 2
        times = st.integers(0, 3 * MINUTE_MS) | st.sampled_from([0, 1, MINUTE_MS])
        points = st.builds(lambda one, late, value: Point(one, NOW - late, value), SERIES, times, VALUES)
        held = draw(st.lists(points, max_size=6))
        broken = encode_points(held) + draw(st.sampled_from([b"", b"no\n"]))
        log.append(Record(offset, timestamp, NOW, draw(st.sampled_from([broken, encode_points_arrow(held)]))))
    return log


def points_of(log: Sequence[Record]) -> list[tuple[Series, int, float, int]]:
    """(series, time, value, offset), in the order of the log."""
    points, series, _ = decode_points(log)
    names = ("series", "time", "value", "offset")
    rows = zip(*(points[name].to_pylist() for name in names), strict=True)
    return [(series[identity], *rest) for identity, *rest in rows]


def brute_force(log: Sequence[Record]) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    """By (series, resolution, start): the other columns of a bin, in the order of the schema."""
    held: dict[tuple[int, int, int], list[tuple[int, float, int]]] = {}
    for series, time, value, offset in points_of(log):
        for resolution in RESOLUTIONS[series.name]:
            start = time // (1000 * resolution) * 1000 * resolution
            if (series.name, resolution) != ("watched", 10) or is_watched(start):
                held.setdefault((series.id, resolution, start), []).append((time, value, offset))
    return {key: _bin(rows) for key, rows in held.items()}


def is_watched(start: int) -> bool:
    return NOW - 180_000 <= start < NOW - 130_000 or start >= NOW - 60_000


def _bin(rows: list[tuple[int, float, int]]) -> tuple[Any, ...]:
    times, values, offsets = zip(*rows, strict=True)
    total = squares = 0.0
    for value in values:
        total, squares = total + value, squares + value * value
    newest = max(range(len(times)), key=lambda at: (times[at], at))
    last = (values[newest], times[newest])
    return (len(values), total, min(values), max(values), squares, *last, max(offsets))


def as_dict(table: pa.Table) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    rows = list(zip(*(table[name].to_pylist() for name in bins.BIN_SCHEMA.names), strict=True))
    found = {row[:3]: row[3:] for row in rows}
    assert len(found) == len(rows), "a bin has two rows"
    return found


def fold_in_pieces(log: list[list[Record]]) -> tuple[dict[int, BinCount], list[pa.Table]]:
    """The blocks by their starts and the partials, through state and back after each piece."""
    count: BinCount | None = None
    found: dict[int, BinCount] = {}
    partials = []
    for piece in log:
        folded = fold(BinCount.load(count.dump()) if count else None, piece, FINE)
        found.update((one.block.start, one) for one in folded.counts)
        count = folded.counts[-1] if folded.counts else count
        partials.append(folded.partial)
    return found, partials


@given(st.data(), logs())
def test_bins_are_a_function_of_the_log(data: st.DataObject, log: list[Record]) -> None:
    """Sums of floats too, to the last bit."""
    found, partials = fold_in_pieces(pieces(data.draw, log))
    for segment in blocks.cut(None, log):
        assert as_dict(found[segment.block.start].bins) == brute_force(segment.records)
    published = bin_partials.add(partials)
    expected = {key: row for key, row in brute_force(log).items() if key[1] in bin_partials.RESOLUTIONS}
    counted = as_dict(published.select(bins.BIN_SCHEMA.names))
    assert {key: (row[0], *row[2:4], *row[5:]) for key, row in counted.items()} == {
        key: (row[0], *row[2:4], *row[5:]) for key, row in expected.items()
    }


@pytest.mark.parametrize("size", [1, 7, 30])
def test_sums_of_floats_are_the_same_to_the_bit_in_whatever_pieces(size: int) -> None:
    values = np.random.default_rng(11).normal(0, 1e6, 300).tolist()
    points = [Point(series_of("cpu", "gauge", {}), NOW, value) for value in values]
    log = [Record(at, NOW, NOW, encode_points(points[10 * at : 10 * at + 10])) for at in range(30)]
    (count,) = fold_in_pieces([log[at : at + size] for at in range(0, 30, size)])[0].values()
    assert as_dict(count.bins) == brute_force(log)


@given(logs(), st.integers(1, 3))
def test_shards_divide_the_rows_by_series_and_resolution(log: list[Record], shards: int) -> None:
    folded = fold(None, log, FINE)
    partial = bin_partials.add([folded.partial])
    found = bin_partials.shards(partial, folded.series, shards)
    assert sum(rows.num_rows for rows in found.values()) == partial.num_rows
    known = {series.id: series for series, *_ in points_of(log)}
    for key, rows in found.items():
        resolution = bin_partials.RESOLUTIONS[key % 2]
        assert set(rows["resolution"].to_pylist()) == {resolution}
        assert {known[identity].shard % shards for identity in rows["series"].to_pylist()} == {key // 2}
        slots = [start // (resolution * 1000) for start in rows["start"].to_pylist()]
        assert rows["slot"].to_pylist() == slots


@given(logs())
def test_published_bins_say_what_the_points_were(log: list[Record]) -> None:
    partial = fold(None, log, FINE).partial
    messages = decode(encode(list(bin_partials.bins(partial))))
    expected = brute_force(log)
    for one in messages:
        assert isinstance(one, Bin)
        kinds = [s for s, *_ in points_of(log) if (s.name, dict(s.labels)) == (one.metric, one.labels)]
        rows = [expected.get((series.id, one.resolution // 1000, one.start)) for series in kinds]
        assert (one.count, one.values["min"], one.values["max"]) in [(row[0], row[2], row[3]) for row in rows if row]
        assert one.revision == one.count


def test_the_value_of_a_counter_is_its_sum_and_of_a_gauge_its_mean() -> None:
    log = [
        Record(0, NOW, NOW, encode_points([Point(series_of("cpu", kind, {}), NOW, value) for value in (1.0, 2.0, 6.0)]))
        for kind in ("counter", "gauge", "histogram")
    ]
    partial = fold(None, log, FINE).partial
    assert [one.value for one in bin_partials.bins(partial)] == [9.0, 3.0, 3.0]


@example([1e308, 1e308])
@example([1e308, 1e308, -1e308, -1e308])
@given(st.lists(VALUES, min_size=1))
def test_what_json_cannot_say_is_said_as_well_as_it_can(values: list[float]) -> None:
    points = [Point(series_of("cpu", "gauge", {}), NOW, value) for value in values]
    partial = fold(None, [Record(0, NOW, NOW, encode_points(points))], FINE).partial
    for one in decode(encode(list(bin_partials.bins(partial)))):
        assert isinstance(one, Bin)
        assert all(math.isfinite(value) for value in [one.value, *one.values.values()])


def test_only_bins_that_changed_are_written_again() -> None:
    series = [series_of("cpu", "gauge", {"host": host}) for host in "ab"]
    log = [Record(at, NOW, NOW, encode_points([Point(one, NOW, 1.0)])) for at, one in enumerate([*series, series[0]])]
    (count,) = fold(None, log, {}).counts
    assert count.unwritten().num_rows == 2
    assert count._replace(written=1).unwritten()["series"].to_pylist() == [series[0].id]
    assert count._replace(written=2).unwritten().num_rows == 0


@pytest.mark.parametrize("count", [1, 1000])
def test_variance_comes_out_of_the_sums(count: int) -> None:
    values = np.random.default_rng(7).normal(100, 5, count)
    points = [Point(series_of("cpu", "gauge", {}), NOW, float(value)) for value in values]
    (row,) = fold(None, [Record(0, NOW, NOW, encode_points(points))], {}).counts[0].bins.to_pylist()
    assert row["sum_squares"] / count - (row["sum"] / count) ** 2 == pytest.approx(values.var(), abs=1e-9)
