"""Labelled series, read from a folder of the user's: the sets are not ours to hand on."""

import csv
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.detection import Points
from benchmarks.failed import BenchmarkFailed
from contracts.times import parse_instant

# NAB's probation: the first 15 % of a file, of 5000 points at most, does not count.
PROBATION: Final = 0.15
PROBATION_POINTS: Final = 750.0
ABSENT: Final = """no labelled series in {folder} (setting detection.sets_dir). Put there
  nab/data/*/*.csv, nab/labels/combined_windows.json and nab/config/profiles.json, from https://github.com/numenta/NAB
  kpi/*.csv, rows of `unix seconds,value,label` without a header, one series a file: production KPIs, such as those of
  the AIOps challenge of 2018"""


class Series(NamedTuple):
    """One series: times in epoch milliseconds, values, and the number of each point's labelled window, -1 for none."""

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: NDArray[np.int64]
    probation: int  # points at its start that do not count

    @property
    def points(self) -> Points:
        """As points of a state's series 0; their days are those of UTC."""
        return Points(np.zeros(len(self.times), np.int64), self.times, self.values, self.times)

    @property
    def days(self) -> float:
        return float(self.times[-1] - self.times[0]) / 86_400_000


def nab(folder: Path) -> list[Series]:
    """The Numenta Anomaly Benchmark, in the order of its file names. BenchmarkFailed when it is not there."""
    labels = folder / "nab" / "labels" / "combined_windows.json"
    if not labels.exists():
        raise BenchmarkFailed(ABSENT.format(folder=folder))
    return [_nab_series(folder / "nab" / "data" / name, spans) for name, spans in sorted(_json(labels).items())]


def nab_profiles(folder: Path) -> dict[str, dict[str, float]]:
    """The cost matrix of each profile, by its name."""
    profiles = _json(folder / "nab" / "config" / "profiles.json")
    return {name: profile["CostMatrix"] for name, profile in profiles.items()}


def kpi(folder: Path) -> list[Series]:
    """The production KPIs, in the order of their file names. BenchmarkFailed when there are none."""
    files = sorted((folder / "kpi").glob("*.csv"))
    if not files:
        raise BenchmarkFailed(ABSENT.format(folder=folder))
    return [_kpi_series(file) for file in files]


def _nab_series(file: Path, spans: list[list[str]]) -> Series:
    with file.open(newline="") as lines:
        rows = [(row["timestamp"], row["value"]) for row in csv.DictReader(lines)]
    times = np.array([_instant(time) for time, _ in rows])
    windows = np.full(len(rows), -1)
    for number, (first, last) in enumerate(spans):
        windows[(times >= _instant(first)) & (times <= _instant(last))] = number
    probation = int(min(np.floor(PROBATION * len(rows)), PROBATION_POINTS))
    return Series(f"{file.parent.name}/{file.name}", times, np.array([float(v) for _, v in rows]), windows, probation)


def _kpi_series(file: Path) -> Series:
    rows = np.loadtxt(file, delimiter=",")
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    labelled = rows[:, 2] > 0
    begins = labelled & ~np.concatenate([[False], labelled[:-1]])
    windows = np.where(labelled, np.cumsum(begins) - 1, -1)
    return Series(file.name, (rows[:, 0] * 1000).astype(np.int64), rows[:, 1], windows, 0)


def _instant(text: str) -> int:
    return parse_instant(text.replace(" ", "T") + "Z")


def _json(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found
