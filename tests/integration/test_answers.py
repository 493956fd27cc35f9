"""Every answer about points, over a real ClickHouse, against numpy."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pyarrow as pa
import pytest

from contracts.settings import Settings
from contracts.times import MINUTE_MS
from tests.conftest import RealPart
from tests.integration.answered_points import HOSTS, HOUR_MS, NOON, TOPIC, insert, points, values
from tests.integration.api_server import Answer, ApiServer

DAY = "2011-03-13"


@pytest.fixture(scope="module")
def api(settings: Settings, clickhouse: RealPart, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Over rows as the job writes them."""
    insert(settings)
    server = ApiServer(settings, TIDEWATCH_PROFILES__PATH=str(tmp_path_factory.mktemp("profiles")))
    yield server
    server.stop()


def get(api: ApiServer, path: str, **query: Any) -> Answer:
    answer = api.call("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)
    assert answer.status == 200, answer.body
    return answer


STATISTICS: dict[str, Callable[[list[float]], Any]] = {
    "average": np.mean,
    "avg": np.mean,
    "min": np.min,
    "max": np.max,
    "count": len,
    "sum": np.sum,
    "median": np.median,
    "p50": np.median,
    "p90": lambda held: np.percentile(held, 90),
    "p99": lambda held: np.percentile(held, 99),
    "p99.9": lambda held: np.percentile(held, 99.9),
    "variance": np.var,
    "stddev": np.std,
    "mode": lambda held: float(max(sorted(set(held)), key=held.count)),
    "last": lambda held: held[-1],
}


@pytest.mark.parametrize("stat", STATISTICS)
@pytest.mark.parametrize("labels", [{}, {"host": "b"}])
def test_statistics_of_an_hour(api: ApiServer, stat: str, labels: dict[str, str]) -> None:
    held = values("an/swers cpu", NOON, NOON + HOUR_MS, **labels)
    query = {"match": [f"{key}:{value}" for key, value in labels.items()]}
    answer = get(api, f"/{quote('an/swers cpu')}/{stat}/{DAY}/12", **query).json
    assert answer["value"] == pytest.approx(STATISTICS[stat](held), rel=1e-9)
    assert answer["count"] == len(held)
    assert answer["source"] == ("rollups" if stat not in EXACT else "points, exactly")


EXACT = ("median", "p50", "p90", "p99", "p99.9", "mode")


@pytest.mark.parametrize("stat", ["average", "median", "mode", "variance"])
def test_an_hour_without_points_is_null(api: ApiServer, stat: str) -> None:
    answer = get(api, f"/answers_took/{stat}/{DAY}/3").json
    assert (answer["value"], answer["count"]) == (None, 0)
    assert get(api, f"/answers_took/count/{DAY}/3").json["value"] == 0


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        (f"/nobody/average/{DAY}/12", 404, None),
        (f"/nobody/median/{DAY}/12", 404, None),
        (f"/answers_took/best/{DAY}/12", 400, "stat_type"),
        (f"/answers_took/p101/{DAY}/12", 400, "stat_type"),
        ("/answers_took/average/2011-13-01/12", 400, "date"),
        ("/answers_took/average/today/12", 400, "date"),
        ("/answers_took/average/1960-01-01/12", 400, "date"),
        (f"/answers_took/average/{DAY}/24", 400, "hour"),
        (f"/answers_took/average/{DAY}/-1", 400, "hour"),
        (f"/answers_took/average/{DAY}/12?match=host", 400, "match"),
        ("/api/v1/series", 400, "metric"),
        ("/api/v1/series?metric=nobody", 404, None),
        ("/api/v1/series?metric=nobody&stat=max&group_by=host", 404, None),
        ("/api/v1/series?metric=errors&from=5&to=5", 400, "to"),
        ("/api/v1/series?metric=errors&from=later", 400, "from"),
        ("/api/v1/series?metric=errors&step=0s", 400, "step"),
        ("/api/v1/series?metric=errors&step=1s&from=now-7d", 400, "step"),
        ("/api/v1/series?metric=errors&stat=best", 400, "stat"),
        ("/api/v1/series?metric=errors&format=xml", 400, "format"),
        ("/api/v1/series?metric=errors&tz=Mars", 400, "tz"),
        ("/api/v1/series?metric=errors&compare=soon", 400, "compare"),
        ("/api/v1/series?metric=user_tags_views&group_by=country", 400, "match"),
        ("/api/v1/errors/heatmap?old=1.0", 400, "new"),
        ("/api/v1/errors/heatmap?bin=1s&from=now-7d", 400, "bin"),
        ("/q/nothing.json", 404, None),
        ("/q/metric_kinds.json", 400, "metric"),
        ("/q/metric_kinds.json?metric=a&more=b", 400, "more"),
    ],
)
def test_what_cannot_be_answered_is_named(api: ApiServer, path: str, status: int, field: str | None) -> None:
    answer = api.call("GET", path)
    assert (answer.status, answer.json.get("field")) == (status, field), answer.body


def chart(api: ApiServer, **query: Any) -> dict[tuple[str, ...], list[Any]]:
    """By the values of the labels, the value of each slot; the first slot must begin at noon."""
    document = get(api, "/api/v1/series", **{"from": NOON, "to": NOON + 2 * HOUR_MS, **query}).json
    for line in document["series"]:
        assert [at for at, _ in line["points"]] == list(range(NOON, NOON + 2 * HOUR_MS, document["step"] * 1000))
    return {tuple(line["labels"].values()): [value for _, value in line["points"]] for line in document["series"]}


@pytest.mark.parametrize(("step", "seconds"), [("auto", 60), ("1m", 60), ("5m", 300), ("90s", 90), ("1h", 3600)])
@pytest.mark.parametrize("stat", ["average", "max", "count", "sum", "stddev", "median", "p90", "last"])
def test_series_are_what_numpy_says(api: ApiServer, step: str, seconds: int, stat: str) -> None:
    computed = STATISTICS[stat]
    found = chart(api, metric="an/swers cpu", step=step, stat=stat, group_by="host")
    assert set(found) == {("a",), ("b",)}
    for host in HOSTS:
        slots = range(NOON, NOON + 2 * HOUR_MS, seconds * 1000)
        held = [values("an/swers cpu", begin, begin + seconds * 1000, host=host) for begin in slots]
        expected = [pytest.approx(computed(some), abs=1e-6) if some else None for some in held]
        assert found[host,] == expected


def test_as_many_slots_as_there_may_be(api: ApiServer) -> None:
    query = {"metric": "an/swers cpu", "stat": "count", "step": "1s", "from": NOON, "to": NOON + 11_000_000}
    (line,) = get(api, "/api/v1/series", **query).json["series"]
    found = [at for at, count in line["points"] if count]
    held = [point.time for point in points() if point.series.name == "an/swers cpu"]
    assert (len(line["points"]), found) == (11_000, [at for at in held if at < NOON + 11_000_000])


def test_gaps_labels_and_the_statistic_that_suits(api: ApiServer) -> None:
    (found,) = chart(api, metric="an/swers cpu", step="10m", match="host:a").values()
    assert found[3] is None
    assert found[0] == pytest.approx(np.mean(values("an/swers cpu", NOON, NOON + 600_000, host="a")))
    (errors,) = chart(api, metric="errors", step="1h", match=["code:404", "build:1.0"]).values()
    assert errors[0] == len(values("errors", NOON, NOON + HOUR_MS, code="404", build="1.0"))


def test_compared_periods_lie_over_the_asked_one(api: ApiServer) -> None:
    query = {"from": NOON + HOUR_MS, "to": NOON + 2 * HOUR_MS, "step": "30m", "compare": "1h,1mo"}
    document = get(api, "/api/v1/series", metric="an/swers cpu", **query).json
    assert [line["compare"] for line in document["series"]] == [None, "1h", "1mo"]
    before = [at for at, _ in document["series"][1]["points"]]
    assert before == [NOON + HOUR_MS, NOON + HOUR_MS + 30 * MINUTE_MS]
    expected = np.mean(values("an/swers cpu", NOON, NOON + 30 * MINUTE_MS))
    assert document["series"][1]["points"][0][1] == pytest.approx(expected)
    assert [value for _, value in document["series"][2]["points"]] == [None, None]


def test_days_begin_at_midnight_of_the_zone(api: ApiServer) -> None:
    """New York put its clocks forward on that day; its midnight was at 5:00 UTC."""
    query = {"from": "2011-03-13T12:00:00", "to": "2011-03-13T13:00:00", "step": "1d", "tz": "America/New_York"}
    document = get(api, "/api/v1/series", metric="an/swers cpu", stat="count", **query).json
    assert document["source"] == "rollups of hours"
    assert (document["from"], document["to"]) == (NOON - 7 * HOUR_MS, NOON + 16 * HOUR_MS)
    assert [value for _, value in document["series"][0]["points"]] == [len(values("an/swers cpu", 0, 2**42))]


def test_formats(api: ApiServer) -> None:
    query = {"metric": "an/swers cpu", "from": NOON, "to": NOON + HOUR_MS, "step": "10m", "group_by": "host"}
    lines = get(api, "/api/v1/series", **query).json["series"]
    rows = [[at, *both] for (at, *both) in zip(*_columns(lines), strict=True)]
    assert get(api, "/api/v1/series", format="dygraphs", **query).json == rows
    text = list(csv.reader(io.StringIO(get(api, "/api/v1/series", format="csv", **query).body.decode())))
    assert text[0] == ["time", "host=a", "host=b"]
    assert text[1][0] == "2011-03-13T12:00:00.000Z"
    assert [[float(value) if value else None for value in row[1:]] for row in text[1:]] == [row[1:] for row in rows]
    table = pa.ipc.open_stream(get(api, "/api/v1/series", format="arrow", **query).body).read_all()
    assert table.column_names == text[0]
    assert table["host=b"].to_pylist() == [row[2] for row in rows]


def _columns(lines: list[dict[str, Any]]) -> list[list[Any]]:
    return [[at for at, _ in lines[0]["points"]], *([value for _, value in line["points"]] for line in lines)]


def test_the_heatmap_of_errors(api: ApiServer) -> None:
    query = {"from": NOON, "to": NOON + HOUR_MS, "bin": "5m", "old": "1.0", "new": "1.1"}
    document = get(api, "/api/v1/errors/heatmap", **query).json
    assert (document["builds"], document["codes"]) == (["1.0", "1.1"], ["-7", "404"])
    found = {(cell["code"], cell["start"]): (cell["counts"], cell["ratio"]) for cell in document["cells"]}
    for code in ("-7", "404"):
        for start in range(NOON, NOON + HOUR_MS, 300_000):
            old, new = (
                len(values("errors", start, start + 300_000, code=code, build=build)) for build in ("1.0", "1.1")
            )
            counts = {build: float(count) for build, count in (("1.0", old), ("1.1", new)) if count}
            assert found.get((code, start), ({}, 0.0)) == (counts, new / max(old, 1))


def test_discovery(api: ApiServer) -> None:
    metrics = {one["metric"]: one for one in get(api, "/api/v1/metrics").json["metrics"]}
    assert (metrics["an/swers cpu"]["kinds"], metrics["an/swers cpu"]["series"]) == (["gauge"], 2)
    assert "user_tags_revenue" in metrics
    assert get(api, "/api/v1/labels", metric="errors").json["labels"] == [
        {"label": "build", "values": 2},
        {"label": "code", "values": 2},
    ]
    assert get(api, "/api/v1/label/host/values", metric="an/swers cpu").json["values"] == ["a", "b"]
    assert "-7" in get(api, "/api/v1/label/code/values").json["values"]


def test_named_queries(api: ApiServer) -> None:
    listed = {one["name"]: one for one in get(api, "/q/").json["queries"]}
    assert listed["label_values"]["parameters"] == {"label": "String", "metric": "Nullable(String)"}
    assert listed["hour_quantile"]["about"].startswith("How many points a metric has")
    assert get(api, "/q/metric_kinds.json", metric="errors").json["data"] == [{"kind": "counter"}]
    assert get(api, "/q/label_values.csv", label="host").body.decode().splitlines()[0] == '"value"'
    assert listed["history_user_tags"]["parameters"]["wanted"] == "Array(Tuple(String, String))"
    hour = {"from": NOON // 1000, "to": NOON // 1000 + 3600, "wanted": [":", "origin:a"]}
    assert get(api, "/q/history_user_tags.json", **hour).status == 200
    asked = {"metric": "errors", "keys": ["code"], "values": ["404"], "begin": NOON // 1000}
    table = pa.ipc.open_stream(get(api, "/q/hour_sums.arrow", **asked).body).read_all()
    assert table.columns[0].to_pylist() == [len(values("errors", NOON, NOON + HOUR_MS, code="404"))]


class TestSql:
    def test_formats_and_parameters(self, api: ApiServer) -> None:
        statement = "SELECT count() AS n FROM points FINAL WHERE topic_id = {topic:UUID};"
        body = json.dumps({"query": statement, "parameters": {"topic": str(TOPIC)}}).encode()
        answer = api.call("POST", "/api/v1/sql", body, {"Content-Type": "application/json"})
        assert answer.json["data"] == [{"n": len(points())}]
        answer = api.call("POST", "/api/v1/sql?format=csv", b"SELECT 1 AS a, 'b' AS c")
        assert answer.body == b'"a","c"\n1,"b"\n'
        answer = api.call("POST", "/api/v1/sql?format=arrow", b"SELECT number FROM numbers(3)")
        assert pa.ipc.open_stream(answer.body).read_all()["number"].to_pylist() == [0, 1, 2]

    @pytest.mark.parametrize(
        ("statement", "says"),
        [
            ("SELECT nothing FROM points", "UNKNOWN_IDENTIFIER"),
            ("SELEC 1", "SYNTAX_ERROR"),
            ("DROP TABLE points", "ACCESS_DENIED"),
            ("INSERT INTO points (series) VALUES (1)", "ACCESS_DENIED"),
            ("SELECT * FROM url('http://127.0.0.1/', LineAsString)", "ACCESS_DENIED"),
            ("SELECT * FROM file('/etc/passwd', LineAsString)", "ACCESS_DENIED"),
            ("SELECT * FROM system.users", "ACCESS_DENIED"),
            ("SELECT * FROM numbers(2000000)", "TOO_MANY_ROWS_OR_BYTES"),
            ("SELECT groupArray(number) FROM numbers(1000000000)", "MEMORY_LIMIT_EXCEEDED"),
            ("SELECT 1 SETTINGS max_execution_time = 1000", "SETTING_CONSTRAINT_VIOLATION"),
            ("SELECT repeat('x', 1000 + number % 2) FROM numbers(150000)", "TOO_MANY_ROWS_OR_BYTES"),
        ],
    )
    def test_what_the_server_refuses_is_400_in_its_words(self, api: ApiServer, statement: str, says: str) -> None:
        answer = api.call("POST", "/api/v1/sql", statement.encode())
        assert (answer.status, says in answer.json["detail"]) == (400, True), answer.body

    @pytest.mark.parametrize(
        ("body", "kind"),
        [(b"", "text/plain"), (b"\xff", "text/plain"), (b"{}", "application/json"), (b"[", "application/json")],
    )
    def test_what_is_no_query_is_400(self, api: ApiServer, body: bytes, kind: str) -> None:
        assert api.call("POST", "/api/v1/sql", body, {"Content-Type": kind}).json["field"] == "query"
        odd = json.dumps({"query": "SELECT 1", "parameters": {"a": 1}}).encode()
        assert api.call("POST", "/api/v1/sql", odd, {"Content-Type": "application/json"}).json["field"] == "parameters"


def test_without_clickhouse_all_are_503(settings: Settings, tmp_path: Path) -> None:
    server = ApiServer(settings, TIDEWATCH_CLICKHOUSE__PORT="1", TIDEWATCH_PROFILES__PATH=str(tmp_path))
    try:
        for path in (f"/cpu/average/{DAY}/12", "/api/v1/series?metric=cpu", "/q/metrics.json", "/api/v1/metrics"):
            assert server.call("GET", path).status == 503
        assert server.call("POST", "/api/v1/sql", b"SELECT 1").status == 503
    finally:
        server.stop()
