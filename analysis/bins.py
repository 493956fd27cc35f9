"""Bins of series: what their points add to each second, ten seconds or minute.

Tables are Arrow, one row a bin, `BIN_SCHEMA`. A point is a bin of its own, and adding is grouping, row after row: a sum
of floats comes out the same in whatever pieces the points were read, and so does the last of them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from contracts.points import Series
from contracts.watched_bins import ALWAYS, Spans

MINUTE: Final = 60  # seconds: the resolution that every series has
BIN_SCHEMA: Final = pa.schema(
    [
        pa.field("series", pa.uint64()),
        pa.field("resolution", pa.int32()),  # seconds
        pa.field("start", pa.int64()),  # epoch ms
        pa.field("count", pa.int64()),
        pa.field("sum", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("sum_squares", pa.float64()),
        pa.field("last", pa.float64()),  # the value of the newest point, of equally new ones that later in the log
        pa.field("last_time", pa.int64()),  # epoch ms
        pa.field("version", pa.int64()),  # the last offset that added to the bin
    ]
)
NO_BINS: Final = BIN_SCHEMA.empty_table()

# By their length in seconds, besides those of a minute: the metrics that have such bins, and where in time.
Fine = Mapping[int, Mapping[str, Spans]]


def always(metrics: Collection[str]) -> dict[str, Spans]:
    """These metrics, at all times."""
    return dict.fromkeys(metrics, ALWAYS)


def of_points(points: pa.RecordBatch, series: Mapping[int, Series], fine: Fine) -> pa.Table:
    """Points of `PLACED_POINT_SCHEMA` as bins of one point each, by resolution in the order of the log."""
    tables = [_single(points, MINUTE)]
    for resolution, metrics in fine.items():
        marked = [identity for identity, one in series.items() if one.name in metrics]
        if marked:
            theirs = points.filter(pa.array(_are_of(points, marked)))
            tables.append(_within(_single(theirs, resolution), marked, series, metrics))
    return pa.concat_tables(tables)


def _are_of(table: pa.RecordBatch | pa.Table, series: list[int]) -> NDArray[np.bool_]:
    """Whether each row is of one of these series."""
    return np.isin(table["series"].to_numpy(), np.array(series, np.uint64))


def _within(
    single: pa.Table, marked: list[int], series: Mapping[int, Series], metrics: Mapping[str, Spans]
) -> pa.Table:
    """The bins, all of the marked series, without those that begin where their metric has none."""
    if single.num_rows == 0:
        return single
    start = single["start"].to_numpy()
    first, last = int(start.min()), int(start.max())
    kept = np.ones(len(start), bool)
    for metric in {series[one].name for one in marked}:
        spans = metrics[metric]
        if any(one.start <= first and last < one.before for one in spans):
            continue  # mostly: none of these bins begins near the ends of a span
        theirs = _are_of(single, [one for one in marked if series[one].name == metric])
        there = [(one.start <= start) & (start < one.before) for one in spans]
        kept &= ~theirs | np.logical_or.reduce(there)
    return single if kept.all() else single.filter(pa.array(kept))


def _single(points: pa.RecordBatch, resolution: int) -> pa.Table:
    time, value = points["time"], points["value"]
    times, values = time.to_numpy(), value.to_numpy()
    with np.errstate(over="ignore"):  # the square of a number beyond 1e154 is infinite
        squares = values * values
    rows = [
        points["series"],
        pa.repeat(pa.scalar(resolution, pa.int32()), points.num_rows),
        pa.array(times - times % (resolution * 1000)),
        pa.repeat(pa.scalar(1, pa.int64()), points.num_rows),
        *(value, value, value, pa.array(squares), value, time, points["offset"]),
    ]
    return pa.table(rows, schema=BIN_SCHEMA)


def add(tables: Sequence[pa.Table]) -> pa.Table:
    """The bins of all tables, a row a bin, in the order in which each first came; earlier points in earlier tables."""
    return add_rows(pa.concat_tables([NO_BINS, *tables]))[0]


def add_rows(table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
    """`add` of one table; also the row where each bin first came."""
    if table.num_rows == 0:
        return NO_BINS, np.zeros(0, np.int64)
    code, first = _group(table)
    return _summed(table, code, first), first


def extend(bins: pa.Table, single: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The bins, each with one row, after `single` (see `of_points`) was added row by row; and what that adds alone.

    The same as `add([bins, single])` and `add([single])`, to the bit, for half of the work.
    """
    if single.num_rows == 0:
        return bins, NO_BINS
    code, first = _group(single)
    piece = _summed(single, code, first)
    both = pa.concat_tables([bins, piece])
    place, begin = _group(both)
    extended = _summed(both, place, begin)
    targets = place[bins.num_rows :][code]  # of each point
    for name in ("sum", "sum_squares"):
        running = np.zeros(extended.num_rows)
        running[: bins.num_rows] = bins[name].to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # sums of the largest floats are infinite
            np.add.at(running, targets, single[name].to_numpy())  # one after the other
        extended = extended.set_column(extended.schema.get_field_index(name), name, pa.array(running))
    return extended, piece


def _summed(whole: pa.Table, code: NDArray[np.int64], first: NDArray[np.int64]) -> pa.Table:
    """A row a bin, when `code` is the number of each row's bin."""
    column = {name: whole[name].to_numpy() for name in BIN_SCHEMA.names}
    count = len(first)
    keys = {name: column[name][first] for name in ("series", "resolution", "start")}
    # bincount adds in the order of the rows.
    sums = {name: np.bincount(code, column[name], count) for name in ("count", "sum", "sum_squares")}
    bounds = {
        "min": _fold(np.minimum, code, column["min"], first),
        "max": _fold(np.maximum, code, column["max"], first),
        "version": _fold(np.maximum, code, column["version"], first),
    }
    newest = np.empty(count, np.int64)
    by_time = _order(column["last_time"])
    newest[code[by_time]] = by_time  # of several rows for a place the last one stays
    last = {name: column[name][newest] for name in ("last", "last_time")}
    merged: dict[str, NDArray[Any]] = {**keys, **sums, **bounds, **last}
    return pa.table([pa.array(merged[field.name]).cast(field.type) for field in BIN_SCHEMA], schema=BIN_SCHEMA)


def _order(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows by time, equal ones as they stand; mostly they stand so."""
    if bool((times[1:] >= times[:-1]).all()):
        return np.arange(len(times))
    return np.argsort(times, kind="stable")


def _group(whole: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each row's bin, from 0 in the order in which they come, and the row where each first stands."""
    codes = _renumber(whole["series"].combine_chunks())
    for name in ("start", "resolution"):
        values = whole[name].combine_chunks()
        encoded = values.dictionary_encode()
        if len(encoded.dictionary) > 1:  # mostly all is of one minute
            codes = _renumber(pa.array(codes * len(encoded.dictionary) + encoded.indices.to_numpy()))
    first = np.empty(int(codes.max()) + 1, np.int64)
    backwards = np.arange(whole.num_rows - 1, -1, -1)
    first[codes[backwards]] = backwards  # of several rows for a place the last one stays: the earliest
    return codes, first


def _renumber(values: pa.Array) -> NDArray[np.int64]:
    """Numbers from 0 in the order in which the values first come, so that products of them stay small."""
    renumbered: NDArray[np.int64] = values.dictionary_encode().indices.to_numpy().astype(np.int64)
    return renumbered


def _fold(better: np.ufunc, code: NDArray[np.int64], values: NDArray[Any], first: NDArray[np.int64]) -> NDArray[Any]:
    folded = values[first]
    better.at(folded, code, values)
    return folded


def changed_since(bins: pa.Table, offset: int) -> pa.Table:
    """The bins that records after `offset` added to."""
    return bins.filter(pa.array(bins["version"].to_numpy() > offset))
