"""What takes minutes of the clock, on one wait: a rule that is put in force, and the scores of a minute that closed.

The alert service is killed when the alert comes; `make incidents` kills all there is on this way. This file comes
first: the canaries that the next one looks for go their way meanwhile.
"""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any, Final

import pytest
from click.testing import CliRunner

from cli import rule_topic, supervision
from cli.main import main
from contracts import rule_sets, watched_bins
from contracts.alerts import Alert, decode
from contracts.names import DETECTION_JOB
from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.tags import ProductInfo, UserTag
from contracts.times import MINUTE_MS
from infra import topic_records
from infra.embedded import instance
from infra.flink_cluster import FlinkCluster
from stores import clickhouse
from testbed.queries import AggregateQuery
from tests.e2e.world import World, wait_until

PATIENCE: Final = 600.0
EVERY: Final = 0.5  # seconds, of tags that let minutes close
REACH_MS: Final = 30_000  # within which a rule is in force at the latest, far more than it takes
METRICS: Final = {"VIEW": "user_tags_views", "BUY": "user_tags_buys"}
RULES: Final = """
rules:
  - name: many-buys
    kind: threshold
    select: {metric: user_tags_buys, match: [country=Rulia]}
    above: 3
    severity: critical
    labels: {team: shop}
  - {name: fresh-load, kind: threshold, select: {metric: fresh_load}, above: 3, bin: 10s}
"""
FRESH: Final = """
    SELECT resolution, toUnixTimestamp(min(start)) * 1000 FROM bins
    WHERE series IN (SELECT id FROM point_series WHERE metric = 'fresh_load') GROUP BY resolution"""
SCORES: Final = """
    SELECT toUnixTimestamp(start) * 1000 AS minute, value
    FROM scores
    WHERE metric = {metric:String} AND empty(labels) AND minute >= {begin:Int64} AND isNotNull(score)
    ORDER BY minute"""


@pytest.fixture(scope="module")
def minute(stack: Settings, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The beginning of a minute that broke the rule, after all that it and the next one bring has come."""
    assert rules_in_force(stack) >= {"buys-unusual", "visitors-absent", "blind"}, "the shipped ones, from the beginning"
    file = tmp_path_factory.mktemp("rules") / "rules.yml"
    file.write_text(RULES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG_VARIABLE, str(instance.settings_file(stack)))
        assert CliRunner().invoke(main, ["rules", "apply", str(file)]).exit_code == 0
    assert rules_in_force(stack) == {"many-buys", "fresh-load"}
    numbers = count(1000)
    # This minute when the rule is there before it closes, else the next.
    bad = (now() + REACH_MS) // MINUTE_MS * MINUTE_MS
    while now() < bad:
        go_on(world, numbers)
    world.post_bulk([tag(bad + number, "BUY", "Rulia", number) for number in range(5)])
    deadline = time.monotonic() + PATIENCE
    killed = False
    while (
        len(alerts(stack)) < 2
        or len(told(world, stack)) < 2
        or not all(scored(stack, metric, bad) for metric in METRICS.values())
        or not alerts(stack, "fresh-load")
    ):
        came = alerts(stack), alerts(stack, "fresh-load"), scored(stack, "user_tags_views", bad)
        assert time.monotonic() < deadline, came
        if alerts(stack) and not killed:
            killed = True
            kill_alert_service(stack)
        go_on(world, numbers)
    yield bad


def test_a_rule_is_put_in_force_and_its_alert_comes_and_goes(stack: Settings, world: World, minute: int) -> None:
    first, second = alerts(stack)
    assert (first.status, first.starts_at, first.value) == ("firing", minute, 5)
    assert (second.status, second.ends_at, second.value) == ("resolved", minute + MINUTE_MS, 0)
    assert first.id == second.id
    assert first.labels == {"metric": "user_tags_buys", "country": "Rulia", "team": "shop"}
    assert told(world, stack) == [("log", "firing"), ("log", "resolved")], "once, though the service was killed"


def test_a_rule_brings_the_bins_of_ten_seconds_that_it_judges(stack: Settings, minute: int) -> None:
    """Of a metric that nobody had heard of, while the job runs; and none of what came before they were to begin."""
    (begin,) = [one.start for one in watched_bins.from_records(rule_topic.read(stack))[0]["fresh_load"]]
    with clickhouse.connect(stack) as client:
        first = {int(resolution): int(start) for resolution, start in client.query(FRESH).result_rows}
    assert first[60] < begin <= first[10]
    assert [one.status for one in alerts(stack, "fresh-load")] == ["firing"]
    assert alerts(stack, "fresh-load")[0].starts_at == first[10]


def test_a_closed_minute_is_scored(stack: Settings, world: World, minute: int) -> None:
    """Out of the job `detection` as the supervisor keeps it."""
    assert FlinkCluster(stack).running(DETECTION_JOB) is not None
    for action in METRICS:
        wait_until(partial(wrongly_scored, stack, world, minute, action))


def wrongly_scored(stack: Settings, world: World, minute: int, action: str) -> str | None:
    """What is wrong with the first scored minute; a tag that came late is counted and scored a moment later."""
    begin, value = scored(stack, METRICS[action], minute)[0]
    answer = world.call("POST", AggregateQuery(begin, begin + MINUTE_MS, action, ("COUNT",)).target())
    counted = int(answer.json()["rows"][0][-1]) if answer.status == 200 else 0
    return None if value == counted > 0 else f"{action}: {value} is scored, and {answer.body!r} counted"


def go_on(world: World, numbers: Iterator[int]) -> None:
    """Views and buys of now, and of many cookies, so that all partitions make progress; and a point."""
    assert world.call("GET", "/collect?key=fresh_load&value=9").status < 300
    world.post_bulk([tag(now(), action, "Elsewhere", next(numbers)) for _ in range(5) for action in ("VIEW", "BUY")])
    time.sleep(EVERY)


def tag(time_ms: int, action: Any, country: str, number: int) -> UserTag:
    product = ProductInfo(product_id=7, brand_id="b", category_id="c", price=1)
    return UserTag(time_ms, f"rules-{number}", country, "PC", action, "o", product)


def alerts(stack: Settings, rule: str = "many-buys") -> list[Alert]:
    """Of the rule, as a reader of committed transactions finds them."""
    found = [decode(message.value() or b"") for message in topic_records.held(stack, stack.topics.alerts)]
    return [alert for alert in found if alert.rule == rule]


def told(world: World, stack: Settings) -> list[tuple[str, str]]:
    """Receiver and event of each notification that was sent of the rule's incident."""
    answer = world.call("GET", f"/api/v1/alerts/{alerts(stack)[0].id}/history")
    sent = answer.json()["notifications"] if answer.status == 200 else []  # 404: not read yet
    return [(one["receiver"], one["event"]) for one in sent if one["state"] == "sent"]


def kill_alert_service(stack: Settings) -> None:
    """The supervisor starts it again."""
    (link,) = [link for link in (supervision.ask(stack) or {})["links"] if link["name"] == "alerts"]
    os.kill(link["pid"], signal.SIGKILL)


def scored(stack: Settings, metric: str, begin: int) -> list[tuple[Any, ...]]:
    """Minute and value of the total's bins that have a score, from `begin` on."""
    with clickhouse.connect(stack) as client:
        return [tuple(row) for row in client.query(SCORES, {"metric": metric, "begin": begin}).result_rows]


def rules_in_force(stack: Settings) -> set[str]:
    return set(rule_sets.from_records(rule_topic.read(stack))[0].rules)


def now() -> int:
    """The clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000
