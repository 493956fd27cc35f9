"""Answers about series over time: slots, gaps, and formats. Pure."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from contracts.times import format_millis


class Line(NamedTuple):
    """A line of a chart: labels, how far back it was asked for (empty: not at all), a value or None a slot."""

    labels: dict[str, str]
    compared: str
    values: list[float | None]

    @property
    def name(self) -> str:
        """For a heading."""
        text = ",".join(f"{key}={value}" for key, value in self.labels.items())
        return " ".join(filter(None, [text, self.compared and f"({self.compared} before)"])) or "value"


class Chart(NamedTuple):
    """Lines over the same slots; times in epoch milliseconds."""

    times: Sequence[int]
    lines: list[Line]


def as_json(chart: Chart, head: dict[str, Any]) -> bytes:
    """`head` and, for each line, labels and [time, value] pairs."""
    lines = [
        {
            "labels": line.labels,
            "compare": line.compared or None,
            "points": list(zip(chart.times, line.values, strict=True)),
        }
        for line in chart.lines
    ]
    return msgspec.json.encode({**head, "series": lines})


def as_dygraphs(chart: Chart) -> bytes:
    """`[[time, value, …], …]`, a value for each line."""
    return msgspec.json.encode(list(zip(chart.times, *(line.values for line in chart.lines), strict=True)))


def as_csv(chart: Chart) -> bytes:
    """A heading, then a row a slot: the time in UTC, a value for each line, nothing for a gap."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", *(line.name for line in chart.lines)])
    rows = zip(chart.times, *(line.values for line in chart.lines), strict=True)
    writer.writerows([f"{format_millis(time)}Z", *values] for time, *values in rows)
    return text.getvalue().encode()


def as_arrow(chart: Chart) -> bytes:
    """An Arrow IPC stream: `time`, and a column of floats for each line."""
    columns = [pa.array(chart.times, pa.timestamp("ms", tz="UTC"))]
    columns += [pa.array(line.values, pa.float64()) for line in chart.lines]
    table = pa.table(columns, names=["time", *(line.name for line in chart.lines)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data
