"""`tidewatch detect`: a CSV in, a row out for each row, errors by line."""

import csv
import math
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.detect import COLUMNS, command
from cli.series_file import BadSeries, points, read

BEGIN = 1_651_363_200  # 2022-05-01T00:00:00Z


def detect(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def rows(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(result.stdout.splitlines()))


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "series.csv"
    file.write_text(text)
    return file


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """Three days of minutes with a zero at row 4000."""
    rng = np.random.default_rng(1)
    lines = ["timestamp,value"]
    for minute in range(3 * 1440):
        value = 0 if minute == 4000 else 100 + 30 * math.sin(minute * math.tau / 1440) + rng.normal()
        lines.append(f"{BEGIN + 60 * minute},{value:.3f}")
    return written(tmp_path, "\n".join(lines))


def test_finds_the_zero_and_hardly_anything_else(load: Path) -> None:
    result = detect(str(load))
    found = rows(result)
    assert len(found) == 3 * 1440
    assert tuple(found[0]) == COLUMNS
    anomalies = [place for place, row in enumerate(found) if row["is_anomaly"] == "1"]
    assert 4000 in anomalies
    assert len(anomalies) <= 5
    zero = found[4000]
    assert float(zero["value"]) < float(zero["lower"]) < float(zero["expected"]) < float(zero["upper"])
    assert "anomalies in 4320 points" in result.stderr


def test_draws(load: Path, tmp_path: Path) -> None:
    picture = tmp_path / "load.png"
    rows(detect(str(load), "--plot", str(picture)))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_detector_and_threshold_can_be_chosen(load: Path) -> None:
    found = rows(detect(str(load), "--detector", "static_threshold", "--threshold", "120"))
    assert all((float(row["value"]) >= 120) == (row["is_anomaly"] == "1") for row in found)
    unknown = detect(str(load), "--detector", "magic")
    assert unknown.exit_code == 2
    assert "twintail" in unknown.stderr
    assert detect(str(load), "--zone", "Nowhere/Land").exit_code == 2


def test_rows_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, f"timestamp,value\n{BEGIN + 60},2\n{BEGIN},1\n{BEGIN},7\n{BEGIN + 120},\n")
    found = rows(detect(str(file), "--detector", "static_threshold"))
    assert [row["value"] for row in found] == ["2", "1", "7", ""]
    assert [row["score"] for row in found] == ["2", "1", "", ""]  # 7 came at a time that was there before
    assert [row["is_anomaly"] for row in found] == ["1", "1", "0", "0"]


@pytest.mark.parametrize(
    "time",
    [
        "2022-05-01T00:00:00Z",
        "2022-05-01T02:00:00+02:00",
        "2022-05-01T00:00:00",
        "2022-05-01 00:00:00",
        "2022-05-01 00:00",
        "2022-05-01",
        "1651363200",
        "1651363200.0",
    ],
)
def test_spellings_of_a_time(tmp_path: Path, time: str) -> None:
    assert read(written(tmp_path, f"timestamp,value\n{time},1\n")).times == [BEGIN * 1000]


@pytest.mark.parametrize("text", [f"{BEGIN},1\n", f"time,host,Value\n{BEGIN},a,1\n", f"value,timestamp\n1,{BEGIN}\n"])
def test_columns_go_by_their_names_or_places(tmp_path: Path, text: str) -> None:
    series = read(written(tmp_path, text))
    assert (series.times, series.values) == ([BEGIN * 1000], [1.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timestamp,value\n2022-05-01,1\nyesterday,2\n", "line 3: neither unix seconds nor an ISO time"),
        (f"timestamp,value\n{BEGIN},many\n", "line 2: not a number: 'many'"),
        (f"timestamp,value\n\n{BEGIN},1\n{BEGIN}\n", "line 4: 2 columns are expected; this has 1"),
        (f"timestamp,value\n{BEGIN}000,1\n", "line 2: time outside 1970..2105"),
        ("name,height\nann,1\n", "line 1: a header with timestamp and value is expected"),
        ("timestamp,value\n", "holds no points"),
        ("", "holds no points"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadSeries) as error:
        read(written(tmp_path, text))
    assert message in str(error.value)


def test_days_follow_the_zone(tmp_path: Path) -> None:
    """Clocks in Warsaw went from 2 to 3 o'clock at 1:00 UTC on 27 March 2022."""
    file = written(tmp_path, "2022-03-27T00:59:00Z,1\n2022-03-27T01:00:00Z,2\n")
    found, order = points(read(file), ZoneInfo("Europe/Warsaw"))
    assert order == [0, 1]
    assert ((found.phases - found.times) // 3_600_000).tolist() == [1, 2]
