"""Partials of bins on their way to be closed: as `series` has them for the user tags.

A partial is a table of `PARTIAL_SCHEMA`: bins with the spelling of their series, so that whoever closes them need ask
nobody for names.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.bins import BIN_SCHEMA, add_rows
from contracts.points import Series, decode_series
from contracts.series import Bin

RESOLUTIONS: Final = (10, 60)  # seconds, of the bins that are published; finer ones are for queries only
SLOT: Final = "slot"
PARTIAL_SCHEMA: Final = pa.schema([*BIN_SCHEMA, pa.field("slot", pa.int64()), pa.field("json", pa.string())])
NO_PARTIAL: Final = PARTIAL_SCHEMA.empty_table()
_VALUES: Final = ("sum", "min", "max", "sum_squares", "last")  # that a published bin has, `sum` first


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
    whole = pa.concat_tables([NO_PARTIAL, *partials]).combine_chunks()
    summed, first = add_rows(whole.select(BIN_SCHEMA.names))
    rest = whole.select([SLOT, "json"]).take(pa.array(first))
    return pa.table([*summed.columns, *rest.columns], PARTIAL_SCHEMA)


def shards(table: pa.Table, series: Mapping[int, Series], count: int) -> dict[int, pa.Table]:
    """The rows by key: shard * len(RESOLUTIONS) + the place of the resolution in RESOLUTIONS; no empty ones."""
    shard = np.array([series[identity].shard for identity in table["series"].to_numpy().tolist()], np.int64) % count
    level = np.searchsorted(np.array(RESOLUTIONS), table["resolution"].to_numpy())
    keys = shard * len(RESOLUTIONS) + level
    return {int(key): table.filter(pa.array(keys == key)) for key in np.unique(keys)}


def of_the_same(table: pa.Table, rows: pa.Table) -> pa.Table:
    """The rows of `table`, of one slot, whose series is in `rows`."""
    return table.filter(pc.is_in(table["series"], value_set=rows["series"].combine_chunks()))


def bins(table: pa.Table) -> list[Bin]:
    """The bins as they are published: the value of a counter is its sum, of all others the mean."""
    column = {name: table[name].to_numpy() for name in BIN_SCHEMA.names}
    with np.errstate(invalid="ignore"):  # sums of the largest floats are infinite
        means = _finite(column["sum"] / column["count"])
    numbers = [column[name].tolist() for name in ("resolution", "start", "count")]
    values = [_finite(column[name]) for name in _VALUES]
    found = []
    for text, resolution, start, count, mean, *rest in zip(
        table["json"].to_numpy().tolist(), *numbers, means, *values, strict=True
    ):
        series = decode_series(text)
        found.append(
            Bin(
                metric=series.name,
                labels=dict(series.labels),
                resolution=resolution * 1000,
                start=start,
                value=rest[0] if series.kind == "counter" else mean,
                count=count,
                revision=count,
                values=dict(zip(_VALUES, rest, strict=True)),
            )
        )
    return found


def finite(value: float) -> float:
    """The nearest number that JSON knows: sums of the largest floats are infinite."""
    return value if isfinite(value) else float(np.nan_to_num(value))


def _finite(values: NDArray[np.float64]) -> list[float]:
    """`finite` of each: a column at once, as numpy takes microseconds for a number alone."""
    found: list[float] = np.nan_to_num(values).tolist()
    return found
