"""Traffic of today's clock becomes scores, out of the job `detection` as the supervisor keeps it."""

import time
from typing import Any, Final

import msgspec

from contracts.names import DETECTION_JOB
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from infra.flink_cluster import FlinkCluster
from stores import clickhouse
from testbed.generator import Traffic
from testbed.queries import AggregateQuery
from tests.e2e.world import World

PATIENCE: Final = 240.0  # a minute must begin and end
EVERY: Final = 0.5  # seconds, of a tag to each partition
STATEMENT: Final = """
    SELECT toUnixTimestamp(start) * 1000 AS minute, value
    FROM scores
    WHERE metric = {metric:String} AND empty(labels) AND minute >= {begin:Int64} AND isNotNull(score)
    ORDER BY minute"""


def test_a_closed_minute_is_scored(stack: Settings, world: World) -> None:
    assert FlinkCluster(stack).running(DETECTION_JOB) is not None
    begin = now() // MINUTE_MS * MINUTE_MS + MINUTE_MS  # the next minute, which is ours from its begin
    send_until_scored(stack, world, begin)
    for action, metric in (("VIEW", "user_tags_views"), ("BUY", "user_tags_buys")):
        query = AggregateQuery(begin, begin + MINUTE_MS, action, ("COUNT",))
        (row,) = world.call("POST", query.target()).json()["rows"]
        assert scored(stack, metric, begin)[0] == (begin, int(row[-1]))


def send_until_scored(stack: Settings, world: World, begin: int) -> None:
    """Views and buys at the pace of the clock until a minute has scores; it closes as later tags come."""
    traffic, number, deadline = Traffic(71), 0, time.monotonic() + PATIENCE
    while not scored(stack, "user_tags_revenue", begin):
        assert time.monotonic() < deadline, scored(stack, "user_tags_views", begin)
        sent = [msgspec.structs.replace(traffic.tag(number + one), time=now()) for one in range(10)]
        number += len(sent)
        world.post_bulk(sent)
        time.sleep(EVERY)


def scored(stack: Settings, metric: str, begin: int) -> list[tuple[Any, ...]]:
    """Minute and value of the total's bins from `begin` on."""
    with clickhouse.connect(stack) as client:
        return [tuple(row) for row in client.query(STATEMENT, {"metric": metric, "begin": begin}).result_rows]


def now() -> int:
    """The clock, epoch milliseconds."""
    return int(time.time() * 1000)
