"""Texts that repeat, as codes: Arrow dictionaries that hold each text once, so that equal codes mean equal texts.

Grouping by codes costs a third of grouping by texts. Dictionaries that others wrote may hold a text twice: only what
`join` returns can be grouped by its codes.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

CODED: Final = pa.dictionary(pa.int32(), pa.string())


def join(chunks: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """The chunks one after the other as one array of type `kind`, from texts to codes or back where it says so."""
    if kind != CODED:
        return pa.concat_arrays([chunk if chunk.type == kind else chunk.cast(kind) for chunk in chunks] or [_no(kind)])
    if not any(map(len, chunks)):
        return _no(kind)
    return _unify([_coded(chunk) for chunk in chunks])


def table(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """The tables' rows one after the other, in `schema`, a chunk a column."""
    columns = [join([part for one in tables for part in one.column(field.name).chunks], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def smallest(texts: pa.Array) -> pa.DictionaryArray:
    """The texts as codes of as few bytes as they need."""
    coded = _coded(texts)
    kind = next(
        kind for kind in (pa.int8(), pa.int16(), pa.int32()) if len(coded.dictionary) < 2 ** (kind.bit_width - 1)
    )
    return pa.DictionaryArray.from_arrays(coded.indices.cast(kind), coded.dictionary)


def _no(kind: pa.DataType) -> pa.Array:
    return pa.array([], kind)


def _coded(texts: pa.Array) -> pa.DictionaryArray:
    return texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()


def _unify(chunks: Sequence[pa.DictionaryArray]) -> pa.DictionaryArray:
    """Each text of all the dictionaries once; no nulls in them."""
    texts = pa.concat_arrays([chunk.dictionary.cast(pa.string()) for chunk in chunks]).dictionary_encode()
    codes, first = texts.indices.to_numpy(), 0
    parts = []
    for chunk in chunks:
        parts.append(codes[first : first + len(chunk.dictionary)][chunk.indices.to_numpy()])
        first += len(chunk.dictionary)
    return pa.DictionaryArray.from_arrays(pa.array(np.concatenate(parts)), texts.dictionary)
