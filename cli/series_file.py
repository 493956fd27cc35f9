"""A series in a CSV file: a column of times, a column of values. What cannot be read is named by its line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.times import check_range, parse_instant

if TYPE_CHECKING:  # which --help shall not wait for
    from analysis.detection import Points

TIME_NAMES: Final = ("timestamp", "time", "date", "datetime", "ts")
VALUE_NAMES: Final = ("value", "val", "y")
MISSING: Final = {"", "nan", "null", "none", "na"}


class BadSeries(Exception):
    """The message names file and line, and what was expected there."""


class SeriesFile(NamedTuple):
    """`texts` are the times as they stand in the file, `times` their epoch milliseconds; nan is a missing value."""

    texts: list[str]
    times: list[int]
    values: list[float]


def read(path: Path) -> SeriesFile:
    """The columns `timestamp` and `value` (of a file without a header: the first two), in the order of the file."""
    series = SeriesFile([], [], [])
    line = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns: tuple[int, int] | None = None
            for row in rows:
                line = rows.line_num
                if columns is None:
                    columns = _columns(row)
                    if columns != (0, 1) or not _is_data(row):
                        continue
                if row:
                    _add(series, row, columns)
    except (ValueError, csv.Error) as error:
        raise BadSeries(f"{path} line {line}: {error}") from None
    if not series.times:
        raise BadSeries(f"{path} holds no points: expected lines such as 2024-05-01T12:00:00Z,17.5")
    return series


def _columns(row: list[str]) -> tuple[int, int]:
    """Which columns hold time and value, by the header; the first two where there is none."""
    if _is_data(row):
        return 0, 1
    header = [name.strip().lower() for name in row]
    time = next((header.index(name) for name in TIME_NAMES if name in header), None)
    value = next((header.index(name) for name in VALUE_NAMES if name in header), None)
    if time is None or value is None:
        raise ValueError(
            f"a header with timestamp and value is expected, or data without one; this is {','.join(row)!r}"
        )
    return time, value


def _is_data(row: list[str]) -> bool:
    try:
        _instant(row[0])
        _number(row[1])
    except (ValueError, IndexError):
        return False
    return True


def _add(series: SeriesFile, row: list[str], columns: tuple[int, int]) -> None:
    time, value = columns
    if len(row) <= max(columns):
        raise ValueError(f"{max(columns) + 1} columns are expected; this has {len(row)}")
    series.texts.append(row[time])
    series.times.append(_instant(row[time]))
    series.values.append(_number(row[value]))


def _instant(text: str) -> int:
    """Of unix seconds, or of an ISO time; one without a zone is UTC."""
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _iso(text)
    if not math.isfinite(seconds):
        raise ValueError(f"not a time: {text[:40]!r}")
    return check_range(round(seconds * 1000))


def _iso(text: str) -> int:
    spelt = text.replace(" ", "T", 1)
    if len(spelt) == len("2024-05-01"):
        spelt += "T00:00"
    if len(spelt) == len("2024-05-01T12:00"):
        spelt += ":00"
    try:
        return parse_instant(spelt)
    except ValueError:
        pass
    try:
        return parse_instant(spelt + "Z")
    except ValueError:
        raise ValueError(f"neither unix seconds nor an ISO time such as 2024-05-01T12:00:00Z: {text[:40]!r}") from None


def _number(text: str) -> float:
    if text.strip().lower() in MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"not a number: {text[:40]!r}") from None
    return value


def points(series: SeriesFile, zone: ZoneInfo) -> tuple[Points, list[int]]:
    """As points of a state's series 0, in order of time; and the place in the file of each."""
    import numpy as np

    from analysis.detection import Points

    times = np.array(series.times, np.int64)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    phases = ordered + np.fromiter(_offsets(ordered.tolist(), zone), np.int64, len(ordered))
    values = np.array(series.values)[order]
    return Points(np.zeros(len(times), np.int64), ordered, values, phases), order.tolist()


def _offsets(times: list[int], zone: ZoneInfo) -> Iterator[int]:
    """Milliseconds by which the zone's clocks are ahead of UTC, for times in order; they change on quarter hours."""
    from datetime import datetime

    quarter, offset = -1, 0
    for time in times:
        if time // 900_000 != quarter:
            quarter = time // 900_000
            ahead = datetime.fromtimestamp(quarter * 900, zone).utcoffset()
            offset = round(ahead.total_seconds() * 1000) if ahead else 0
        yield offset
