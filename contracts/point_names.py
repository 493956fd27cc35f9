"""Whether a record of points may name certain metrics, told from its bytes for a fraction of what decoding it costs."""

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from contracts.codec import is_arrow

_FIRST_COLUMN: Final = pa.ipc.IpcReadOptions(use_threads=False, included_fields=[0])
_ESCAPE: Final = b"\\"  # JSON may spell any character with one
_TEXTS: Final = (pa.string(), pa.large_string())


def may_name(payload: bytes, names: Collection[bytes]) -> bool:
    """False only when no good point in the record is of a metric with one of the names (UTF-8)."""
    if not is_arrow(payload):
        return _holds(payload, names)
    try:
        batches = list(pa.ipc.open_stream(payload, options=_FIRST_COLUMN))
        return any(batch.schema.names != ["series"] or _column_holds(batch.column(0), names) for batch in batches)
    except (pa.ArrowException, OSError, ValueError):  # also where a name of a column is no UTF-8
        return True


def _column_holds(column: pa.Array, names: Collection[bytes]) -> bool:
    texts = column.dictionary if pa.types.is_dictionary(column.type) else column
    if texts.type not in _TEXTS:
        return True
    data = texts.buffers()[-1]
    return data is not None and _holds(data.to_pybytes(), names)


def _holds(data: bytes, names: Collection[bytes]) -> bool:
    return _ESCAPE in data or any(name in data for name in names)
