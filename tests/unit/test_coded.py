"""Texts as codes: whatever dictionaries come in, equal codes mean equal texts, and the texts stay as they were."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.coded import CODED, join, smallest, table
from tests.unit.strategies import TEXTS

HELD = st.lists(st.sampled_from(["a", "b", "c"]) | TEXTS, max_size=6)


@st.composite
def chunks(draw: st.DrawFn) -> tuple[list[pa.Array], list[str]]:
    """Texts plain, coded, and coded by dictionaries that hold a text twice or one that does not occur."""
    arrays: list[pa.Array] = []
    held: list[str] = []
    for texts in draw(st.lists(HELD, max_size=4)):
        plain = pa.array(texts, pa.string())
        twice = pa.DictionaryArray.from_arrays(
            pa.array([place + len(texts) * draw(st.integers(0, 1)) for place in range(len(texts))], pa.int8()),
            pa.array([*texts, *texts, "never used"], draw(st.sampled_from([pa.string(), pa.large_string()]))),
        )
        arrays.append(draw(st.sampled_from([plain, plain.dictionary_encode(), twice])))
        held += texts
    return arrays, held


@given(chunks())
def test_joined_chunks_hold_the_texts_in_their_order(given_: tuple[list[pa.Array], list[str]]) -> None:
    arrays, held = given_
    for kind in (CODED, pa.string()):
        joined = join(arrays, kind)
        joined.validate(full=True)
        assert joined.type == kind
        assert joined.to_pylist() == held


@given(chunks())
def test_equal_codes_mean_equal_texts(given_: tuple[list[pa.Array], list[str]]) -> None:
    arrays, held = given_
    texts = join(arrays, CODED).dictionary.to_pylist()
    assert len(set(texts)) == len(texts)
    schema = pa.schema([pa.field("text", CODED)])
    tables = [pa.table({"text": array}) for array in arrays]
    counted = table(tables, schema).group_by("text").aggregate([([], "count_all")])
    found = dict(zip(counted["text"].to_pylist(), counted["count_all"].to_pylist(), strict=True))
    assert found == {text: held.count(text) for text in held}


@given(HELD)
def test_the_smallest_codes_hold_the_texts(texts: list[str]) -> None:
    assert smallest(pa.array(texts, pa.string())).to_pylist() == texts


def test_codes_grow_with_the_texts() -> None:
    widths = [smallest(pa.array(map(str, range(count)))).indices.type for count in (1, 127, 128, 40_000)]
    assert widths == [pa.int8(), pa.int8(), pa.int16(), pa.int32()]
