"""The Allezon contract's queries over a real ClickHouse and a real profile store, byte for byte."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest

from analysis.profiles import ProfileEvent, ProfileUpdate, identity
from contracts.settings import Profiles, Settings
from contracts.times import parse_instant
from stores import clickhouse as sessions
from stores.profiles_lmdb import LmdbProfiles
from tests.conftest import START_SECONDS, RealPart
from tests.flink.polling import wait_until
from tests.integration.api_server import ApiServer

TOPIC = UUID("00000000-0000-4000-8000-0000000000a1")
# Minutes of this file's own: the tables are shared with other tests.
FIVE = parse_instant("2011-03-01T00:05:00Z") // 1000
COLUMNS = (
    "minute", "action", "origin", "brand_id", "category_id", "topic_id", "partition", "block", "version", "count",
    "sum_price", "ingested",
)  # fmt: skip  # as a table's head
INGESTED = int(time.time() * 1000)  # now: the table drops what came in long ago
ODD = 'it\'s \\ "ż" 🐢 %41 {x:String}\t'
VIEW = (
    b'{"time":"2022-03-01T00:00:00.649Z","cookie":"9WkYGxkiXBfpMIjBGURC","country":"CL","device":"MOBILE",'
    b'"action":"VIEW","origin":"CAMPAIGN_321","product_info":{"product_id":12486,"brand_id":"Ebros_Gift",'
    b'"category_id":"Trousers","price":28969}}'
)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profiles")
    store = LmdbProfiles(path, Profiles(), writable=True)
    times = [parse_instant("2022-03-01T00:00:00.649Z") + offset for offset in range(300)]
    views = [ProfileEvent(time, identity(TOPIC, 0, time, 0), VIEW.replace(b"28969", b"%d" % time)) for time in times]
    store.update({"9WkYGxkiXBfpMIjBGURC": ProfileUpdate(views, [])})
    store.close()
    return path


@pytest.fixture(scope="module")
def api(settings: Settings, topics: dict[str, str], clickhouse: RealPart, profiles: Path) -> Iterator[ApiServer]:
    rows = [
        row(0, "Nike", 0, 5, 2, 700),
        row(0, "Nike", 0, 9, 3, 1000),  # the same block, read further: replaces the row before
        row(0, "Nike", 0, 7, 1, 1),  # and an older one that comes late replaces nothing
        row(1, "Nike", 0, 12, 3, 1100),
        row(1, "Nike", 100, 120, 1, 400),  # another block: adds up
        row(1, "Puma", 100, 120, 5, 2**40),
        row(1, ODD, 100, 120, 1, 77),
        row(3, "Nike", 100, 130, 1, -5),
    ]
    with sessions.connect(settings) as client:
        for one in rows:  # apart, so that versions meet in queries and not in the insert
            client.insert("aggregates_1m", [one], column_names=COLUMNS)
    server = ApiServer(settings, TIDEWATCH_PROFILES__PATH=str(profiles), TIDEWATCH_API__QUERY_SECONDS="20")
    yield server
    server.stop()


def row(minute: int, brand: str, block: int, version: int, count: int, price: int) -> list[object]:
    start = FIVE + 60 * minute
    return [start, "BUY", "O1", brand, "Hats", TOPIC, 0, block, version, count, price, INGESTED]


def query(*parameters: tuple[str, str], begin: str = "2011-03-01T00:05:00", end: str = "2011-03-01T00:07:00") -> str:
    given = [("time_range", f"{begin}_{end}"), ("action", "BUY"), *parameters]
    return f"/aggregates?{urlencode(given)}"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_contracts_example(api: ApiServer, method: str) -> None:
    target = query(("aggregates", "SUM_PRICE"), ("aggregates", "COUNT"), ("brand_id", "Nike"))
    answer = api.call(method, target, b'{"expected": "is read and ignored"}' * 1000)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == (
        b'{"columns":["1m_bucket","action","brand_id","sum_price","count"],'
        b'"rows":[["2011-03-01T00:05:00","BUY","Nike","1000","3"],["2011-03-01T00:06:00","BUY","Nike","1500","4"]]}'
    )


def test_every_minute_has_its_row_and_sums_need_64_bits(api: ApiServer) -> None:
    target = query(
        ("aggregates", "COUNT"),
        ("aggregates", "SUM_PRICE"),
        begin="2011-03-01T00:04:00.000",
        end="2011-03-01T00:09:00.0",
    )
    assert api.call("POST", target).json["rows"] == [
        ["2011-03-01T00:04:00", "BUY", "0", "0"],
        ["2011-03-01T00:05:00", "BUY", "3", "1000"],
        ["2011-03-01T00:06:00", "BUY", "10", str(1100 + 400 + 2**40 + 77)],
        ["2011-03-01T00:07:00", "BUY", "0", "0"],
        ["2011-03-01T00:08:00", "BUY", "1", "-5"],
    ]


@pytest.mark.parametrize(
    ("filters", "counts"),
    [
        ((("origin", "O1"),), ["3", "10"]),
        ((("category_id", "Hats"), ("origin", "O1"), ("brand_id", "Puma")), ["0", "5"]),
        ((("brand_id", ODD),), ["0", "1"]),
        ((("brand_id", "' OR 1 = 1 --"),), ["0", "0"]),
        ((("brand_id", "\\N"),), ["0", "0"]),  # how ClickHouse would write null
        ((("origin", "O2"),), ["0", "0"]),
    ],
)
def test_filters(api: ApiServer, filters: tuple[tuple[str, str], ...], counts: list[str]) -> None:
    answer = api.call("POST", query(("aggregates", "COUNT"), *filters))
    assert [cells[-1] for cells in answer.json["rows"]] == counts
    names = [name for name in ("origin", "brand_id", "category_id") if name in dict(filters)]
    assert answer.json["columns"] == ["1m_bucket", "action", *names, "count"]
    assert answer.json["rows"][0][2:-1] == [dict(filters)[name] for name in names]


def test_the_other_action_is_apart(api: ApiServer) -> None:
    target = query(("aggregates", "COUNT")).replace("action=BUY", "action=VIEW")
    assert [cells[-1] for cells in api.call("POST", target).json["rows"]] == ["0", "0"]


def test_a_profile_by_5_milliseconds(api: ApiServer) -> None:
    target = "/user_profiles/9WkYGxkiXBfpMIjBGURC?time_range=2022-03-01T00:00:00.900_2022-03-01T00:00:00.905&limit=200"
    answer = api.call("POST", target, VIEW)
    first = parse_instant("2022-03-01T00:00:00.900Z")
    views = b",".join(VIEW.replace(b"28969", b"%d" % time) for time in range(first + 4, first - 1, -1))
    assert answer.body == b'{"cookie":"9WkYGxkiXBfpMIjBGURC","views":[%s],"buys":[]}' % views


def test_the_limit_comes_after_the_range(api: ApiServer) -> None:
    target = "/user_profiles/9WkYGxkiXBfpMIjBGURC?time_range=2022-03-01T00:00:00_2022-03-01T00:00:00.800"
    newest = parse_instant("2022-03-01T00:00:00.799Z")
    prices = [tag["product_info"]["price"] for tag in api.call("POST", f"{target}&limit=7").json["views"]]
    assert prices == list(range(newest, newest - 7, -1))
    assert len(api.call("POST", target).json["views"]) == 107  # what is left of the 256 newest


def test_ready_when_every_link_works(api: ApiServer) -> None:
    wait_until(lambda: api.call("GET", "/readyz").status == 200)  # a link that needs two seconds is taken for broken
    wanted = dict.fromkeys(["kafka", "clickhouse", "profiles", "disk"])
    wait_until(lambda: api.call("GET", "/readyz").json["links"] == wanted)


def test_without_clickhouse_aggregates_are_503_until_it_is_back(api: ApiServer, clickhouse: RealPart) -> None:
    target = query(("aggregates", "COUNT"))
    assert api.call("POST", target).status == 200
    clickhouse.kill()
    try:
        refused = api.call("POST", target)
        assert refused.status == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "1"
        wait_until(lambda: api.call("GET", "/readyz").json.get("broken") == ["clickhouse"])
        assert api.call("GET", "/user_profiles/nobody").status == 200
    finally:
        clickhouse.start()
    wait_until(lambda: api.call("POST", target).status == 200)


def test_workers_count_together_and_a_killed_one_is_replaced(settings: Settings, topics: dict[str, str]) -> None:
    server = ApiServer(settings, TIDEWATCH_API__WORKERS="2")
    try:
        for _ in range(20):
            assert server.call("POST", "/user_tags", VIEW).status == 204
        assert counted(server) == 20
        killed = server.workers()[0]
        killed.kill()
        deadline = time.monotonic() + START_SECONDS
        while killed.is_running() or len(server.workers()) < 2 or not answers(server):
            assert time.monotonic() < deadline, "the killed worker is not replaced"
            time.sleep(0.1)
        assert counted(server) == 20
    finally:
        server.stop()


def answers(server: ApiServer) -> bool:
    try:
        return server.call("GET", "/healthz").status == 200
    except OSError:
        return False


def counted(server: ApiServer) -> float:
    lines = server.call("GET", "/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("tidewatch_api_events_accepted_total"))
