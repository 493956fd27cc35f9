"""Partials of bins on their way to be closed: as `series` has them for the user tags.

A partial is a table of `PARTIAL_SCHEMA`: bins with the spelling of their series, so that whoever closes them need ask
nobody for names.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.bins import BIN_SCHEMA
from analysis.bins import add as add_bins
from contracts.points import Series, decode_series
from contracts.series import Bin

RESOLUTIONS: Final = (10, 60)  # seconds, of the bins that are published; finer ones are for queries only
SLOT: Final = "slot"
PARTIAL_SCHEMA: Final = pa.schema([*BIN_SCHEMA, pa.field("slot", pa.int64()), pa.field("json", pa.string())])
NO_PARTIAL: Final = PARTIAL_SCHEMA.empty_table()


def of_bins(table: pa.Table, series: Mapping[int, Series]) -> pa.Table:
    """Those of the bins (`BIN_SCHEMA`) that are published; `slot` is their start in units of their resolution."""
    resolution = table["resolution"].to_numpy()
    published = table.filter(pa.array(np.isin(resolution, RESOLUTIONS)))
    seconds, start = published["resolution"].to_numpy(), published["start"].to_numpy()
    slots = start // (seconds.astype(np.int64) * 1000)
    texts = [series[identity].json.decode() for identity in published["series"].to_pylist()]
    return pa.table([*published.columns, pa.array(slots, pa.int64()), pa.array(texts, pa.string())], PARTIAL_SCHEMA)


def add(partials: list[pa.Table]) -> pa.Table:
    """The sum of the partials, a row a bin."""
    whole = pa.concat_tables([NO_PARTIAL, *partials])
    summed = add_bins([whole.select(BIN_SCHEMA.names)])
    spelled = dict(zip(whole["series"].to_pylist(), whole["json"].to_pylist(), strict=True))
    texts = [spelled[identity] for identity in summed["series"].to_pylist()]
    slots = summed["start"].to_numpy() // (summed["resolution"].to_numpy().astype(np.int64) * 1000)
    return pa.table([*summed.columns, pa.array(slots, pa.int64()), pa.array(texts, pa.string())], PARTIAL_SCHEMA)


def shards(table: pa.Table, count: int) -> dict[int, pa.Table]:
    """The rows by key: shard * len(RESOLUTIONS) + the place of the resolution in RESOLUTIONS; no empty ones."""
    texts = table["json"].to_pylist()
    shard = np.array([decode_series(text).shard % count for text in texts], np.int64)
    level = np.searchsorted(np.array(RESOLUTIONS), table["resolution"].to_numpy())
    keys = shard * len(RESOLUTIONS) + level
    return {int(key): table.filter(pa.array(keys == key)) for key in np.unique(keys)}


def of_the_same(table: pa.Table, rows: pa.Table) -> pa.Table:
    """The rows of `table`, of one slot, whose series is in `rows`."""
    return table.filter(pc.is_in(table["series"], value_set=rows["series"].combine_chunks()))


def bins(table: pa.Table) -> list[Bin]:
    """The bins as they are published: the value of a counter is its sum, of all others the mean."""
    found = []
    for row in table.to_pylist():
        series = decode_series(row["json"])
        value = row["sum"] if series.kind == "counter" else row["sum"] / row["count"]
        found.append(
            Bin(
                metric=series.name,
                labels=dict(series.labels),
                resolution=row["resolution"] * 1000,
                start=row["start"],
                value=finite(value),
                count=row["count"],
                revision=row["count"],
                values={name: finite(row[name]) for name in ("sum", "min", "max", "sum_squares", "last")},
            )
        )
    return found


def finite(value: float) -> float:
    """The nearest number that JSON knows: sums of the largest floats are infinite."""
    return float(np.nan_to_num(value))
