"""Points: one spelling of a series, what is refused, and that the codec reads back what was written."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.codec import Record, is_arrow
from contracts.invalid import Invalid
from contracts.point_codec import (
    PLACED_POINT_SCHEMA,
    POINT_SCHEMA,
    decode_points,
    encode_points,
    encode_points_arrow,
)
from contracts.points import (
    KINDS,
    MOST_LABELS,
    InvalidPoint,
    Point,
    decode_point,
    decode_series,
    encode_point,
    series_of,
)
from contracts.times import FUTURE_MS, LATEST_MS
from tests.unit.strategies import NOW, TEXTS

NAMES = st.from_regex(r"[a-z_][a-z0-9_.%/: -]{0,8}[a-z0-9%]", fullmatch=True)
LABELS = st.dictionaries(NAMES, TEXTS, max_size=4)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.builds(
    Point, st.builds(series_of, NAMES, st.sampled_from(KINDS), LABELS), st.integers(0, NOW + FUTURE_MS), VALUES
)


def record(payload: bytes, offset: int = 7) -> Record:
    return Record(offset, NOW, NOW + 1, payload)


def rows(log: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Points with their places, series by spelling; the codec's ids must lead there."""
    points, series, _ = decode_points(log)
    assert points.schema == PLACED_POINT_SCHEMA
    names = ("series", "time", "value", "offset", "line", "ingested")
    found = zip(*(points.column(name).to_pylist() for name in names), strict=True)
    return [(series[identity].json, *rest) for identity, *rest in found]


@given(st.lists(POINTS, max_size=8))
@example([])
@example([Point(series_of("a", "gauge", {}), 0, value) for value in (-0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2)])
def test_both_formats_read_back_what_was_written(points: list[Point]) -> None:
    lines, arrow = encode_points(points), encode_points_arrow(points)
    assert is_arrow(arrow)
    expected = [(one.series.json, one.time, one.value, 7, line, NOW + 1) for line, one in enumerate(points)]
    assert rows([record(lines)]) == rows([record(arrow)]) == expected


@given(st.lists(st.tuples(st.lists(POINTS, max_size=3), st.booleans()), max_size=8))
def test_a_log_of_both_formats_is_read_in_its_order(held: list[tuple[list[Point], bool]]) -> None:
    log = [
        record(encode_points_arrow(points) if as_arrow else encode_points(points), offset)
        for offset, (points, as_arrow) in enumerate(held)
    ]
    expected = [
        (one.series.json, one.time, one.value, offset, line, NOW + 1)
        for offset, (points, _) in enumerate(held)
        for line, one in enumerate(points)
    ]
    assert rows(log) == expected


@given(NAMES, LABELS, st.randoms())
def test_a_series_has_one_id_in_whatever_order_its_labels_come(name: str, labels: dict[str, str], dice: Any) -> None:
    shuffled = list(labels.items())
    dice.shuffle(shuffled)
    spelled = json.dumps({"labels": dict(shuffled), "kind": "gauge", "name": name, "more": 1})
    assert decode_series(spelled) == series_of(name, "gauge", labels)
    assert decode_series(series_of(name, "gauge", labels).json.decode()) == series_of(name, "gauge", labels)


def test_name_kind_and_each_label_tell_series_apart() -> None:
    found = {
        series_of(name, kind, labels).id
        for name in ("a", "b")
        for kind in KINDS
        for labels in ({}, {"a": "b"}, {"b": "a"}, {"a": "a", "b": "b"}, {"ab": "b"})
    }
    assert len(found) == 2 * 3 * 5


def test_ids_do_not_depend_on_the_process() -> None:
    assert series_of("errors", "counter", {"build": "1.2", "code": "-7"})[:2] == (14238206458402518428, 2931994382)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": " cpu"}, "name"),
        ({"name": "cpu\n"}, "name"),
        ({"name": 'a"b'}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": None}, "name"),
        ({"value": "5"}, "value"),
        ({"value": True}, "value"),
        ({"kind": "total"}, "kind"),
        ({"labels": {"": "a"}}, "labels"),
        ({"labels": {"a{": "a"}}, "labels"),
        ({"labels": {"a": ""}}, "labels"),
        ({"labels": {"a": "x" * 257}}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {str(number): "a" for number in range(MOST_LABELS + 1)}}, "labels"),
        ({"time": NOW + FUTURE_MS + 1}, "time"),
        ({"time": -1}, "time"),
        ({"time": LATEST_MS}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": 1.5}, "time"),
        ({"name": "user_tags_views"}, "name"),
    ],
)
def test_what_breaks_the_contract_is_named(fields: dict[str, Any], wrong: str) -> None:
    line = json.dumps({"name": "cpu", "value": 1, "time": NOW, **fields}).encode()
    with pytest.raises(InvalidPoint) as caught:
        decode_point(line, NOW)
    assert caught.value.field == wrong
    (reject,) = decode_points([record(b"\n" + line)]).rejects
    assert (reject.line, reject.field, reject.data) == (1, wrong, line)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", ""])
def test_values_that_are_no_numbers_are_refused(value: str) -> None:
    with pytest.raises(Invalid):
        decode_point(b'{"name":"cpu","value":%b}' % value.encode(), NOW)


def test_what_is_left_out_is_filled_in() -> None:
    point = decode_point(b'{"name":"cpu","value":3}', NOW)
    assert point == Point(series_of("cpu", "gauge", {}), NOW, 3.0)
    assert rows([record(b'{"name":"cpu","value":3}')])[0][1] == NOW


def test_good_lines_among_bad_ones_are_kept() -> None:
    good = encode_point(Point(series_of("a", "counter", {"b": "c"}), NOW, 1.5))
    decoded = decode_points([record(b"\n".join([good, b"", b"{}", good, b"\xff", b"[]", good]))])
    assert decoded.points["line"].to_pylist() == [0, 3, 6]
    assert [reject.line for reject in decoded.rejects] == [2, 4, 5]


def test_bad_rows_of_a_stranger_s_arrow_are_refused_one_by_one() -> None:
    good = series_of("a", "gauge", {}).json.decode()
    texts = [good, "{}", good, good, good, '{"kind":"gauge","name":"a"}', "no"]
    values = [1.0, 1.0, math.nan, math.inf, 1.0, 2.0, 1.0]
    times = [NOW, NOW, NOW, NOW, NOW + FUTURE_MS + 1, NOW, NOW]
    table = pa.table({"time": times, "value": values, "series": texts})
    decoded = decode_points([record(streamed(table))])
    assert decoded.points["value"].to_pylist() == [1.0, 2.0]
    assert [series.json.decode() for series in decoded.series.values()] == [good]
    assert [reject.line for reject in decoded.rejects] == [1, 2, 3, 4, 6]
    assert [reject.field for reject in decoded.rejects] == ["name", "", "", "", ""]


@pytest.mark.parametrize(
    "change",
    [
        {"value": ["1"]},
        {"value": [None]},
        {"time": pa.array([1], pa.timestamp("us"))},
        {"series": [1]},
        {"value": None},
        {"series": pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([None], pa.string()))},
    ],
)
def test_other_columns_are_no_points(change: dict[str, Any]) -> None:
    columns = {"series": [series_of("a", "gauge", {}).json.decode()], "time": [1], "value": [1.0]} | change
    table = pa.table({name: column for name, column in columns.items() if column is not None})
    decoded = decode_points([record(streamed(table))])
    assert decoded.points.num_rows == 0
    assert [reject.line for reject in decoded.rejects] == [-1]


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read(data: bytes, as_arrow: bool) -> None:
    whole = encode_points_arrow([Point(series_of("a", "gauge", {}), 1, 1.0)])
    payload = whole[: len(data) * 8] + data if as_arrow else data
    decode_points([record(payload)])


def streamed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def test_schema_is_what_is_written() -> None:
    written = pa.ipc.open_stream(encode_points_arrow([])).schema
    assert written == POINT_SCHEMA
