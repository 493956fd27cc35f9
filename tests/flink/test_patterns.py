"""Patterns on collections: a stream made to hold what a pattern is after, and the same stream without it."""

import json
import random
from collections.abc import Sequence
from operator import itemgetter
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from pyflink.datastream import StreamExecutionEnvironment

from contracts import series
from contracts.codec import Record, encode_lines
from contracts.names import PATTERN_METRIC
from contracts.points import decode_point
from contracts.series import Bin, Progress
from contracts.settings import Settings, Topic
from contracts.tags import UserTag, event_time
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import patterns
from jobs.flink import Pipeline
from jobs.pattern_views import VIEWS
from sql import pattern_files
from testbed.generator import START_MS, Traffic
from tests.conftest import START_SECONDS, RealPart
from tests.flink.conftest import Environments
from tests.flink.streams import Collection
from tests.flink.test_operators import read

SEED = 5
TOPIC = Topic(name="collected", partitions=1)


def found(env: StreamExecutionEnvironment, settings: Settings, name: str, records: Sequence[Record]) -> list[Any]:
    """The matches of one pattern as points."""
    (pattern,) = [one for one in pattern_files.read_all() if one.name == name]
    pipeline = Pipeline(env, settings, f"patterns-{name}")
    VIEWS[pattern.over][1](pipeline, Collection(TOPIC, uuid4(), {}, env, records))
    with pipeline.tables.sql_query(patterns.matches(pipeline, [pattern])).execute().collect() as rows:
        values = [row[1] for row in rows]
    return [decode_point(value.encode(), START_MS) for value in values]


def labels(points: list[Any]) -> list[dict[str, str]]:
    assert all(point.series.name == PATTERN_METRIC for point in points)
    return [dict(point.series.labels) for point in points]


def shop(views: Sequence[int], buys: Sequence[int], errors: Sequence[int]) -> list[Record]:
    """Records of topic `series`, one a minute: totals of the shop, errors of a code; zero has no bin."""
    log = []
    for minute, numbers in enumerate(zip(views, buys, errors, strict=True)):
        start = START_MS + minute * MINUTE_MS
        names = ("user_tags_views", "user_tags_buys", "errors")
        bins = [
            Bin(name, {"code": "7"} if name == "errors" else {}, MINUTE_MS, start, number, number, 1)
            for name, number in zip(names, numbers, strict=True)
            if number
        ]
        brand = Bin("user_tags_views", {"brand": "x"}, MINUTE_MS, start, 10**6, 1, 1)  # no total: must not count
        progress = Progress(0, 1, MINUTE_MS, start + MINUTE_MS)
        payload = series.encode([*bins, brand, progress])
        log.append(Record(minute, start + MINUTE_MS, start + MINUTE_MS, payload))
    return log


def test_progress_of_points_closes_no_minute_of_the_shop(environments: Environments, settings: Settings) -> None:
    """The stream of points runs ahead by the whole half hour: as it was taken for the shop's, buys collapsed."""
    ahead = [Progress(0, 1, MINUTE_MS, START_MS + minute * MINUTE_MS, "points") for minute in range(1, 31)]
    steady = shop([1000] * 30, [100] * 30, [0] * 30)
    log = [steady[0]._replace(payload=series.encode([one])) for one in ahead]
    whole = [record._replace(offset=number) for number, record in enumerate([*steady[:9], *log, *steady[9:]])]
    env = environments()
    pipeline = Pipeline(env, settings, "minutes")
    VIEWS["minutes"][1](pipeline, Collection(TOPIC, uuid4(), {}, env, whole))
    with pipeline.tables.sql_query("SELECT view_count, buy_count FROM minutes").execute().collect() as rows:
        assert [tuple(row) for row in rows] == [(1000.0, 100.0)] * 30


def test_buys_that_collapse_while_views_go_on_are_found_once(environments: Environments, settings: Settings) -> None:
    dice = random.Random(SEED)  # noqa: S311  # repeatable
    views = [1000 + dice.randrange(-50, 50) for _ in range(30)]
    buys = [100 + dice.randrange(-10, 10) for _ in range(15)] + [0] * 6 + [100] * 9
    points = found(environments(), settings, "checkout_broken", shop(views, buys, [0] * 30))
    assert labels(points) == [{"pattern": "checkout_broken"}]
    assert points[0].value == 0.0


@pytest.mark.parametrize("factor", [0.2, 1.0])
def test_a_shop_that_is_quiet_as_a_whole_has_no_broken_checkout(
    environments: Environments, settings: Settings, factor: float
) -> None:
    views = [1000] * 15 + [round(1000 * factor)] * 15
    buys = [100] * 15 + [round(100 * factor)] * 15
    assert found(environments(), settings, "checkout_broken", shop(views, buys, [0] * 30)) == []


def test_errors_after_which_visitors_stay_away(environments: Environments, settings: Settings) -> None:
    errors = [2] * 10 + [60] * 3 + [2] * 17
    stayed, left = [1000] * 30, [1000] * 15 + [400] * 15
    assert found(environments(), settings, "errors_then_silence", shop(stayed, [0] * 30, errors)) == []
    assert found(environments(), settings, "errors_then_silence", shop(left, [0] * 30, [2] * 30)) == []
    points = found(environments(), settings, "errors_then_silence", shop(left, [0] * 30, errors))
    assert labels(points) == [{"pattern": "errors_then_silence"}]
    assert points[0].value == pytest.approx(0.4)


def buys(product: str, cookies: Sequence[str], prices: Sequence[int], step_ms: int) -> list[UserTag]:
    """One buy after the other, beginning a minute into the stream."""
    traffic, tags = Traffic(SEED, step_ms=1), []
    for number, (cookie, price) in enumerate(zip(cookies, prices, strict=True)):
        tag = traffic.tag(number)
        info = msgspec.structs.replace(tag.product_info, product_id=product, price=price)
        at = START_MS + MINUTE_MS + number * step_ms
        tags.append(msgspec.structs.replace(tag, time=at, cookie=cookie, action="BUY", product_info=info))
    return tags


def stream(strange: Sequence[UserTag]) -> list[Record]:
    """Three minutes of the testbed's traffic with these tags in it, in records of a second."""
    traffic = Traffic(SEED, step_ms=20)
    tags = sorted([*(traffic.tag(number) for number in range(9000)), *strange], key=event_time)
    seconds: dict[int, list[UserTag]] = {}
    for tag in tags:
        seconds.setdefault(event_time(tag) // 1000, []).append(tag)
    return [
        Record(number, event_time(group[-1]), event_time(group[-1]), encode_lines(group))
        for number, group in enumerate(seconds.values())
    ]


def test_a_cookie_that_buys_faster_than_a_person(environments: Environments, settings: Settings) -> None:
    fast = buys("p", ["robot"] * 10, [3] * 10, step_ms=900)
    slow = buys("q", ["person"] * 10, [3] * 10, step_ms=1500)
    points = found(environments(), settings, "fast_buyer", stream([*fast, *slow]))
    assert labels(points) == [{"pattern": "fast_buyer", "cookie": "robot"}]
    assert points[0].value == 30.0


def test_a_price_that_jumps_and_sells(environments: Environments, settings: Settings) -> None:
    people = [f"person-{number}" for number in range(14)]
    jumped = buys("cheap", people, [900] * 3 + [9] * 11, step_ms=1000)
    steady = buys("same", people, [900] * 14, step_ms=1000)
    unsold = buys("unsold", people[:8], [900] * 3 + [9] * 5, step_ms=1000)
    points = found(environments(), settings, "price_jump", stream([*jumped, *steady, *unsold]))
    assert labels(points) == [{"pattern": "price_jump", "product": "cheap"}]
    assert points[0].value == pytest.approx(0.01)


def test_a_price_that_jumps_of_a_product_that_is_bought_rarely(environments: Environments, settings: Settings) -> None:
    """The usual price lies hours back; another product's prices vary, and that is all they do."""
    people = [f"person-{number}" for number in range(10)]
    hours_ago = [
        msgspec.structs.replace(tag, time=event_time(tag) - 5 * 3_600_000) for tag in buys("rare", ["ann"], [900], 1)
    ]
    rare = buys("rare", people, [9] * 10, step_ms=1000)
    varying = buys("varying", people * 4, [90, 300, 60, 200] * 10, step_ms=300)
    points = found(environments(), settings, "price_jump", stream([*hours_ago, *rare, *varying]))
    assert labels(points) == [{"pattern": "price_jump", "product": "rare"}]
    assert points[0].value == pytest.approx(0.01)


def test_a_match_is_a_point_that_the_platform_takes(environments: Environments, settings: Settings) -> None:
    (point,) = found(environments(), settings, "fast_buyer", stream(buys("p", ['"\\é'] * 10, [1] * 10, step_ms=1)))
    assert json.loads(point.series.json)["labels"]["cookie"] == '"\\é'


def test_the_whole_job_writes_what_it_found_to_the_topic_of_points(
    environments: Environments, settings: Settings, broker: RealPart
) -> None:
    points = Topic(name=f"found-{uuid4().hex}", partitions=1)
    own = settings.model_copy(update={"topics": settings.topics.model_copy(update={"points": points})})
    kafka_topics.ensure(own, START_SECONDS)
    tags = stream(buys("p", ["robot"] * 10, [3] * 10, step_ms=900))
    minutes = shop([1000] * 30, [100] * 15 + [0] * 6 + [100] * 9, [0] * 30)
    env = environments()
    patterns.build(env, own, *(Collection(TOPIC, uuid4(), {}, env, records) for records in (tags, minutes)))
    env.execute("patterns")
    found = [decode_point(value, START_MS) for value in read(own, points)]
    wanted = [{"pattern": "checkout_broken"}, {"pattern": "fast_buyer", "cookie": "robot"}]
    assert sorted(labels(found), key=itemgetter("pattern")) == wanted
