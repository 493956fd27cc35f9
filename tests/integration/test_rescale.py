"""The job `detection` on a real cluster, resumed with another parallelism: as if it had never been stopped.

What it says is compared with the same code run over the whole log at once, in this process.
"""

import random
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from uuid import uuid4

import pytest

from analysis.detectors import twintail
from analysis.watch.feed import Feed
from analysis.watch.lane import Lane
from analysis.watch.scored import ScoredBin
from cli import job_start
from contracts.settings import Settings
from contracts.times import MINUTE_MS
from infra import package
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as sessions
from tests.conftest import RealPart
from tests.flink.alert_topics import alerts, put_in_force, with_topics
from tests.flink.hosts import Hosts, Said
from tests.flink.polling import wait_until
from tests.integration.deploying import SECONDS, parallelism, submit

HIGH = 1000
RULES = """
rules:
  - {name: each, kind: threshold, select: {metric: METRIC}, above: 500, for: 3m}
  - {name: ready, kind: threshold, select: {metric: METRIC}, above: 200}
  - {name: together, kind: threshold, select: {metric: METRIC}, by: [], above: 1500, quiet: zero}
"""
Judged = tuple[str, int, float, float | None, float | None]  # host, begin in seconds, value, score, upper edge
STATEMENT = """
    SELECT labels['host'], toUnixTimestamp(start), value, score, upper
    FROM scores WHERE metric = {metric:String} ORDER BY 1, 2"""


class Job:
    """`detection` over topics of the test's own."""

    def __init__(self, settings: Settings, code: Path) -> None:
        self.settings, self._code = settings, code
        self.cluster = FlinkCluster(settings)
        self.id = ""

    def start(self, width: int, savepoint: str | None = None) -> None:
        detection = self.settings.detection.model_copy(update={"parallelism": width})
        settings = self.settings.model_copy(update={"detection": detection})
        self.id = submit(settings, job_start.DETECTION, "rescaled", self._code, savepoint)
        self.cluster.wait_healthy(self.id, SECONDS)
        assert parallelism(settings, self.id) == width

    def resume(self, width: int) -> None:
        self.start(width, self.cluster.stop_with_savepoint(self.id, SECONDS))


@pytest.fixture
def job(settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, tmp_path: Path) -> Iterator[Job]:
    detection = settings.detection.model_copy(update={"checkpoint_seconds": 0.5})
    own = with_topics(
        settings.model_copy(update={"state_dir": tmp_path, "detection": detection}), series=2, rules=1, alerts=1
    )
    job = Job(own, package.store(tmp_path / "code"))
    yield job
    if job.id:
        job.cluster.cancel(job.id, SECONDS)


def load(dice: random.Random, minutes: int) -> list[dict[str, int]]:
    """Of two hosts, of which the second is quiet now and then."""
    hosts = [{"0": round(dice.gauss(100, 5)), "1": round(dice.gauss(50, 5))} for _ in range(minutes)]
    return [one if dice.random() < 0.9 else {"0": one["0"]} for one in hosts]


def test_detection_goes_on_with_another_parallelism(job: Job) -> None:
    metric, dice = f"load_{uuid4().hex[:8]}", random.Random(5)  # noqa: S311  # repeatable
    hosts = Hosts(job.settings, metric)
    put_in_force(job.settings, RULES.replace("METRIC", metric))
    job.start(1)
    hosts.send_until("ready", {"0": 300}, {"0": 100})
    hosts.send(*load(dice, 300))

    # Two minutes of three: `each` is pending over the first change; what fires goes on over both.
    first = hosts.send({"0": HIGH, "1": HIGH}, {"0": HIGH, "1": HIGH})
    fired: list[Said] = [
        (rule, host, "firing", first) for rule, host in (("ready", "0"), ("ready", "1"), ("together", ""))
    ]
    hosts.wait_for(fired, first)
    job.resume(2)
    hosts.send({"0": HIGH, "1": HIGH}, {"0": HIGH, "1": HIGH})
    fired += [("each", "0", "firing", first), ("each", "1", "firing", first)]
    hosts.wait_for(fired, first)
    job.resume(1)
    last = hosts.send({"0": HIGH, "1": HIGH}, *load(dice, 60)) + 1
    over: list[Said] = [(rule, host, "resolved", last) for rule, host, *_ in fired]
    hosts.wait_for([*fired, *over], first)

    wanted = judged_at_once(hosts)
    wait_until(lambda: len(judged(job.settings, metric)) >= len(wanted))
    assert judged(job.settings, metric) == wanted, "the same as at once, and nothing follows"
    assert sum(upper is not None for *_, upper in wanted) > 200, "the detector had begun to judge"
    told = alerts(job.settings)  # once: a live topic
    assert len({alert.message_id for alert in told}) == len(told)


def judged(settings: Settings, metric: str) -> list[Judged]:
    with sessions.connect(settings) as client:
        rows = client.query(STATEMENT, {"metric": metric}).result_rows
    return [(str(host), int(start), float(value), score, upper) for host, start, value, score, upper in rows]


def judged_at_once(hosts: Hosts) -> list[Judged]:
    """By the engine-free code, without a stop."""
    found: list[Judged] = []
    for messages in hosts.sent.values():
        stream = Feed(Lane("points", MINUTE_MS), twintail.detector, 10).take(messages).stream
        for one in stream:
            if isinstance(one, ScoredBin):
                score, upper = (None if isnan(number) else number for number in (one.score, one.upper))
                found.append((one.bin.labels["host"], one.bin.start // 1000, float(one.bin.value), score, upper))
    return sorted(found, key=lambda one: one[:2])
