"""Arrow tables as bytes, for keyed state and for records between operators."""

import pyarrow as pa


def dump(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream, not compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def load(data: bytes) -> pa.Table:
    """The table that `dump` made into bytes."""
    return pa.ipc.open_stream(data).read_all()
