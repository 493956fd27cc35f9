"""Whether a record may name a metric."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.point_codec import encode_points, encode_points_arrow
from contracts.point_names import may_name
from contracts.points import Point, series_of
from tests.unit.strategies import NOW

NAMES = ["cpu", "errors", "späße", "a b", "p99.9", "错误"]


def points_of(names: list[str]) -> list[Point]:
    return [Point(series_of(name, "gauge", {"host": "a"}), NOW, 1.0) for name in names]


@pytest.mark.parametrize("encode", [encode_points, encode_points_arrow])
@given(held=st.lists(st.sampled_from(NAMES), max_size=5), asked=st.lists(st.sampled_from(NAMES)))
def test_a_name_that_is_there_is_seen_and_one_that_is_not_is_not(encode, held, asked) -> None:  # type: ignore[no-untyped-def]
    found = may_name(encode(points_of(held)), [name.encode() for name in asked])
    assert found == bool(set(held) & set(asked))


def test_what_is_spelled_in_another_way_may_be_any_name() -> None:
    assert may_name(b'{"name":"\\u0065rrors","value":1}\n', [b"errors"])
    texts = pa.array(['{"name":"\\u0065rrors"}'])
    for column in (
        texts,
        texts.dictionary_encode(),
        texts.cast(pa.large_string()),
        texts.cast(pa.large_string()).dictionary_encode(),
    ):
        assert may_name(stream(series=column), [b"errors"])
    plain = pa.array(['{"name":"errors"}'])
    for column in (
        plain,
        plain.dictionary_encode(),
        plain.cast(pa.large_string()),
        pa.array(plain.to_pylist(), pa.string_view()),
    ):
        assert may_name(stream(series=column), [b"errors"])
        assert may_name(stream(time=pa.array([1]), series=column), [b"errors"])
    assert not may_name(stream(series=plain), [b"cpu"])


def test_an_unreadable_record_may_name_anything() -> None:
    assert may_name(encode_points_arrow(points_of(["cpu"]))[:40], [b"errors"])


def test_a_column_whose_name_is_no_text_may_hold_anything() -> None:
    record = encode_points_arrow(points_of(["cpu"]))
    assert record.count(b"series") == 1
    assert may_name(record.replace(b"series", b"seri\xffs"), [b"errors"])


def stream(**columns: pa.Array) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data
