"""`tidewatch detect`: the anomalies of a series in a CSV file."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # which --help shall not wait for
    from analysis.detection import Detector, Points, Scores
    from cli.series_file import SeriesFile

COLUMNS = ("timestamp", "value", "expected", "lower", "upper", "score", "is_anomaly")
EXAMPLES = """
\b
Examples:
  tidewatch detect load.csv > scored.csv                     every row with its score
  tidewatch detect load.csv --plot load.png | grep ',1$'     the anomalies, and a picture
  tidewatch detect load.csv --threshold 6                    fewer: six is one in a million
  tidewatch detect load.csv --detector static_threshold --threshold 90
  tidewatch detect load.csv --zone Europe/Warsaw             days as people there live them
"""


def _names(context: click.Context, parameter: click.Parameter, name: str) -> str:
    from analysis.detection import names

    if name not in names():
        raise click.BadParameter(f"{name!r} is none of {', '.join(names())}")
    return name


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--detector", default="twintail", show_default=True, callback=_names, help="A file of analysis/detectors/."
)
@click.option("--threshold", type=float, help="Score from which on a point is an anomaly.  [default: the detector's]")
@click.option("--zone", default="UTC", show_default=True, help="Time zone whose days and weeks the series follows.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="PNG file to draw the series into.")
def command(file: Path, detector: str, threshold: float | None, zone: str, plot: Path | None) -> None:
    """Score the series in FILE: a CSV file with columns timestamp (ISO, or unix seconds) and value.

    Writes CSV: timestamp, value, expected, lower, upper, score, is_anomaly, a row for each of the file's. Every point
    is judged by those before it alone. A cell is empty where there is nothing to say: before enough was seen, without a
    value, at a time that was there before.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from analysis.detection import find
    from cli.series_file import points, read

    try:
        found_zone = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.BadParameter(f"no time zone {zone!r}; an example is Europe/Warsaw", param_hint="--zone") from None
    series = read(file)
    used = find(detector)
    if threshold is not None:
        used = used.at(threshold)
    scores = _in_file_order(used, *points(series, found_zone))
    anomalies = scores.score >= used.threshold
    _write(series, scores, anomalies.tolist())
    if plot is not None:
        from cli.plotting import draw

        draw(plot, file.name, series, scores, used.threshold)
    click.echo(f"{anomalies.sum()} anomalies in {len(series.times)} points", err=True)


def _in_file_order(detector: Detector, ordered: Points, order: list[int]) -> Scores:
    import numpy as np

    _, scores = detector.score(detector.start(1), ordered)
    return scores.take(np.argsort(order))


def _write(series: SeriesFile, scores: Scores, anomalies: list[bool]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    columns = (scores.expected, scores.lower, scores.upper, scores.score)
    cells = zip(*(column.tolist() for column in columns), strict=True)
    for text, value, row, anomaly in zip(series.texts, series.values, cells, anomalies, strict=True):
        out.writerow((text, _cell(value), *map(_cell, row), int(anomaly)))


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.10g}"
