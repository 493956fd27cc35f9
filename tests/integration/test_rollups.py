"""Hours, days, weeks and months over a real ClickHouse, against numpy: made again, late, and after points went."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from click.testing import CliRunner

from cli import rollup
from contracts.points import Point, series_of
from contracts.settings import Settings
from contracts.times import DAY_MS
from infra.embedded.clickhouse import ClickHouse
from stores import migrations, rollups
from tests.conftest import START_SECONDS, RealPart, free_ports
from tests.integration.api_server import ApiServer
from tests.integration.rolled_world import BEGINS, HOUR_MS, SPAN, START, World, differs, make_points


@pytest.fixture(scope="module")
def server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A ClickHouse of this file's own: what it tests is dropping."""
    port, native = free_ports(2)
    clickhouse = settings.clickhouse.model_copy(update={"port": port, "native_port": native})
    folder = tmp_path_factory.mktemp("clickhouse")
    own = settings.model_copy(update={"clickhouse": clickhouse, "state_dir": folder})
    real = RealPart(ClickHouse(own))
    migrations.apply(own)
    yield own
    real.stop()


@pytest.fixture
def world(server: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    """All tables empty; the command and the API find them by their settings."""
    monkeypatch.setenv("TIDEWATCH_CLICKHOUSE__PORT", str(server.clickhouse.port))
    made = World(server)
    for table in ("points", "point_series", "bins", "touched_hours", "rollups", "sketches", "rollup_runs"):
        made.command(f"TRUNCATE TABLE {table}")
    return made


def assert_rolled(world: World) -> None:
    for period in BEGINS:
        assert differs(world, period) is None


def test_every_period_is_what_its_points_say(world: World) -> None:
    world.come(make_points(1, 3000))
    assert rollups.roll_up(world.settings).hours > 500
    assert_rolled(world)


def test_running_again_changes_nothing(world: World) -> None:
    world.come(make_points(2, 500))
    rollups.roll_up(world.settings)
    before = world.query("SELECT * EXCEPT digest FROM sketches FINAL ORDER BY ALL")
    result = CliRunner().invoke(rollup.command)
    assert result.exit_code == 0, result.output
    assert "hours rolled up, 0 sketched" in result.output
    assert_rolled(world)
    assert world.query("SELECT * EXCEPT digest FROM sketches FINAL ORDER BY ALL") == before


def test_what_comes_late_is_added_to_its_time(world: World) -> None:
    """Of the same day of ingestion, and of a later one."""
    some = make_points(3, 1500)
    for number, days_ago in enumerate((3, 3, 2, 0)):
        world.come(some[number::4], days_ago)
        rollups.roll_up(world.settings)
        assert_rolled(world)


def test_many_hours_are_rolled_up_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "HOURS_A_STATEMENT", 50)
    world.come(make_points(4, 1000))
    rollups.roll_up(world.settings)
    assert_rolled(world)


def test_rollups_stay_when_points_and_bins_are_dropped(world: World) -> None:
    """And a run that finds only new points of an hour adds to what the dropped ones had made."""
    some = make_points(5, 1000)
    world.come(some[:500], 3)
    rollups.roll_up(world.settings)
    for table in ("points", "bins"):
        world.command(f"TRUNCATE TABLE {table}")
    world.come(some[500:], 2)
    rollups.roll_up(world.settings)
    assert_rolled(world)


@pytest.fixture
def api(world: World, tmp_path: Path) -> Iterator[ApiServer]:
    """It takes points that came in the day before for gone."""
    gone = {"TIDEWATCH_CLICKHOUSE__POINTS_DAYS": "1"}
    server = ApiServer(world.settings, TIDEWATCH_PROFILES__PATH=str(tmp_path / "profiles"), **gone)
    yield server
    server.stop()


STATS: dict[str, Callable[[Any], float]] = {"sum": np.sum, "max": np.max, "stddev": np.std, "count": len}


def chart(api: ApiServer, **query: Any) -> dict[str, Any]:
    asked = {"metric": "rolled", "from": START, "to": START + SPAN, **query}
    answer = api.call("GET", f"/api/v1/series?{urlencode(asked)}")
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json
    return document


def values_by_slot(world: World, document: dict[str, Any]) -> list[list[float]]:
    """The points of each slot of a chart of one line."""
    begins = [at for at, _ in document["series"][0]["points"]]
    ends = [*begins[1:], document["to"]]
    return [
        [point.value for point in world.points if begin <= point.time < end]
        for begin, end in zip(begins, ends, strict=True)
    ]


SOURCES = {"1h": "hour", "6h": "hour", "1d": "day", "3d": "day", "1w": "week", "1mo": "month"}


def test_charts_take_the_longest_rollups_that_fit(world: World, api: ApiServer) -> None:
    """Half of the points came since rollups were made: those are read from bins."""
    some = make_points(6, 1000)
    world.come(some[::2], 3)
    rollups.roll_up(world.settings)
    # As if the run had been long ago: what comes now is not within its overlap.
    world.command("TRUNCATE TABLE rollup_runs")
    world.command("INSERT INTO rollup_runs SELECT now64(3) + toIntervalSecond(59)")
    world.come(some[1::4], 3)
    world.come(some[3::4], 0)
    for (step, source), (stat, computed) in product(SOURCES.items(), STATS.items()):
        document = chart(api, step=step, stat=stat)
        assert document["source"] == f"rollups of {source}s", step
        for (_, value), held in zip(document["series"][0]["points"], values_by_slot(world, document), strict=True):
            empty = 0 if stat == "count" else None
            assert value == (pytest.approx(computed(held)) if held else None) or (not held and value == empty)


def test_weeks_begin_on_monday_and_months_on_their_first_day(world: World, api: ApiServer) -> None:
    world.come(make_points(7, 50))
    weeks = chart(api, step="1w")["series"][0]["points"]
    assert {datetime.fromtimestamp(at / 1000, timezone.utc).weekday() for at, _ in weeks} == {0}
    months = chart(api, step="1mo", compare="1mo,12mo")
    assert (months["from"], months["to"], months["step"]) == (START, START + 59 * DAY_MS, "1mo")
    days = [datetime.fromtimestamp(at / 1000, timezone.utc) for at, _ in months["series"][0]["points"]]
    assert [(day.month, day.day) for day in days] == [(1, 1), (2, 1)]
    compared = {line["compare"]: [value for _, value in line["points"]] for line in months["series"]}
    assert compared["1mo"] == [None, compared[None][0]]
    assert compared["12mo"] == [None, None]
    refused = api.call("GET", "/api/v1/series?metric=rolled&step=1mo&compare=1d")
    assert (refused.status, refused.json["field"]) == (400, "compare")


def test_an_hour_without_its_points_says_so(world: World, api: ApiServer) -> None:
    """Statistics come from rollups, quantiles from a sketch."""
    noon = START + 12 * HOUR_MS
    dice = random.Random(8)  # noqa: S311  # repeatable
    held = [dice.gauss(100, 10) for _ in range(2000)]
    series = series_of("rolled", "gauge", {"host": "a"})
    world.come([Point(series, noon + at * 1500, value) for at, value in enumerate(held)], 2)
    assert rollups.roll_up(world.settings).sketches == 1
    # As if a minute had passed since: of what is younger, bins are to tell.
    world.command("INSERT INTO rollup_runs SELECT now64(3, 'UTC') + toIntervalSecond(61)")
    for table in ("points", "bins"):
        world.command(f"TRUNCATE TABLE {table}")
    mean = api.call("GET", "/rolled/average/2022-01-01/12").json
    assert (mean["value"], mean["count"]) == (pytest.approx(np.mean(held)), 2000)
    for name, level in (("median", 50), ("p99", 99)):
        about = api.call("GET", f"/rolled/{name}/2022-01-01/12?match=host:a").json
        assert (about["source"], about["count"]) == ("a sketch, about", 2000)
        below = np.mean(np.array(held) < about["value"])
        assert abs(below - level / 100) < 0.01
    mode = api.call("GET", "/rolled/mode/2022-01-01/12").json
    assert (mode["value"], mode["count"]) == (None, 2000)
    line = chart(api, step="1d", stat="p50")
    assert line["source"] == "sketches of hours, about"
    assert line["series"][0]["points"][0][1] == pytest.approx(np.median(held), rel=0.01)


def test_a_sketch_is_read_with_the_points_that_have_none_yet(world: World, api: ApiServer) -> None:
    """Of one hour: what came in two days ago is a sketch and its points are dropped, what came in today are points."""
    series = series_of("rolled", "gauge", {"host": "a"})
    world.come([Point(series, START + at * 1000, 10.0) for at in range(100)], 2)
    rollups.roll_up(world.settings)
    world.command("TRUNCATE TABLE points")
    world.come([Point(series, START + (at + 100) * 1000, 30.0) for at in range(300)], 0)
    about = api.call("GET", "/rolled/median/2022-01-01/0").json
    assert (about["value"], about["count"], about["source"]) == (pytest.approx(30), 400, "a sketch, about")
    assert api.call("GET", "/rolled/p10/2022-01-01/0").json["value"] == pytest.approx(10)
    assert api.call("GET", "/rolled/p10/2022-01-01/0?match=host:b").json["count"] == 0


def test_percentiles_by_minute_of_dropped_points_are_refused(world: World, api: ApiServer) -> None:
    world.come([Point(series_of("rolled", "gauge", {}), START + at * 1000, float(at)) for at in range(100)], 2)
    rollups.roll_up(world.settings)
    world.command("TRUNCATE TABLE points")
    asked = {"metric": "rolled", "from": START, "to": START + 2 * HOUR_MS, "stat": "p50"}
    refused = api.call("GET", f"/api/v1/series?{urlencode({**asked, 'step': '1m'})}")
    assert (refused.status, refused.json["field"]) == (400, "step")
    assert "ask for 1h or auto" in refused.json["detail"]
    answer = api.call("GET", f"/api/v1/series?{urlencode(asked)}").json
    assert (answer["step"], answer["source"]) == (3600, "sketches of hours, about")
    assert answer["series"][0]["points"] == [[START, pytest.approx(49.5, abs=1)], [START + HOUR_MS, None]]


def test_what_is_no_longer_kept_is_not_taken_for_nothing(world: World, tmp_path: Path) -> None:
    """Of what came in two days ago months are kept here, and nothing finer."""
    world.come([Point(series_of("rolled", "gauge", {}), START, 5.0)], 2)
    rollups.roll_up(world.settings)
    # As if a minute had passed since: of what is younger, bins are to tell.
    world.command("INSERT INTO rollup_runs SELECT now64(3, 'UTC') + toIntervalSecond(61)")
    for table in ("points", "bins", "sketches"):
        world.command(f"TRUNCATE TABLE {table}")
    world.command("DELETE FROM rollups WHERE period != 'month'")
    names = ("POINTS", "BINS", "HOUR_ROLLUPS", "DAY_ROLLUPS", "WEEK_ROLLUPS")
    gone = {f"TIDEWATCH_CLICKHOUSE__{name}_DAYS": "1" for name in names}
    server = ApiServer(world.settings, TIDEWATCH_PROFILES__PATH=str(tmp_path / "profiles"), **gone)
    try:
        hour = server.call("GET", "/rolled/average/2022-01-01/0").json
        assert (hour["value"], hour["source"]) == (None, "nothing: hours of then are no longer kept")
        document = chart(server, to=START + HOUR_MS, stat="max")
        assert (document["step"], document["source"]) == ("1mo", "rollups of months")
        assert document["series"][0]["points"] == [[START, 5.0]]
        refused = server.call("GET", f"/api/v1/series?metric=rolled&from={START}&to={START + HOUR_MS}&step=1m")
        assert (refused.status, refused.json["field"]) == (400, "step")
        world.command("TRUNCATE TABLE rollup_runs")
        world.come([Point(series_of("rolled", "gauge", {}), START, 7.0)], 0)
        rollups.roll_up(world.settings)
        deadline = time.monotonic() + START_SECONDS
        while (hour := server.call("GET", "/rolled/average/2022-01-01/0").json)["value"] is None:
            assert time.monotonic() < deadline, "told a moment later, as what is touched is remembered for that long"
        source = "rollups, of what came in later: hours of then are no longer kept"
        assert (hour["value"], hour["source"]) == (7.0, source), "a part of the hour is no whole one"
    finally:
        server.stop()


def test_a_day_of_a_zone_has_25_hours_when_clocks_go_back(world: World, api: ApiServer) -> None:
    begin = 1_635_631_200_000  # 2021-10-31T00:00 in Warsaw
    series = series_of("rolled", "gauge", {})
    world.come([Point(series, begin + hour * HOUR_MS, 1.0) for hour in range(-1, 26)], 2)
    rollups.roll_up(world.settings)
    asked = {"from": "2021-10-31T05:00:00", "to": "2021-11-01T05:00:00", "tz": "Europe/Warsaw", "stat": "sum"}
    days = chart(api, step="1d", **asked)
    assert days["source"] == "rollups of hours"
    assert days["series"][0]["points"] == [[begin, 25.0], [begin + 25 * HOUR_MS, 1.0]]
    month = chart(api, step="1mo", **{**asked, "to": "2021-10-31T06:00:00"})
    assert month["series"][0]["points"][0][1] == 26.0


def test_an_hour_with_its_points_is_exact_however_long_ago(world: World, api: ApiServer) -> None:
    held = [float(at) for at in range(9)]
    world.come([Point(series_of("rolled", "gauge", {}), START + at, value) for at, value in enumerate(held)], 0)
    rollups.roll_up(world.settings)
    exact = api.call("GET", "/rolled/median/2022-01-01/0").json
    assert (exact["value"], exact["count"], exact["source"]) == (4.0, 9, "points, exactly")
    assert chart(api, step="1d", stat="p50")["source"] == "points, exactly"


def test_days_to_sketch() -> None:
    day = [datetime(2022, 3, number, tzinfo=timezone.utc).date() for number in range(1, 32)]
    at = [int(datetime(2022, 3, number, 5, tzinfo=timezone.utc).timestamp() * 1000) for number in range(1, 32)]
    assert rollups.days_to_sketch([day[9], day[4]], at[9], at[9], 30) == [day[4]]  # today goes on
    assert rollups.days_to_sketch([], at[6], at[9], 30) == [day[6], day[7], day[8]]  # ended since the last run
    assert rollups.days_to_sketch([], 0, at[9], 3) == [day[7], day[8]]  # never ran: as far as points are kept
    assert rollups.days_to_sketch([day[0]], at[9], at[9], 3) == []
