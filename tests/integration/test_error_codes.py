"""An hour of error codes of two builds, by `tidewatch load` at 240 times its speed: exactly the expected alerts.

From the file over the API and both jobs to topic `alerts`; a build's rise lasts some seconds of the clock.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli import job_start
from cli.main import main
from contracts.names import POINT_PIPELINES
from contracts.settings import Settings
from contracts.times import format_millis
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as sessions
from tests.conftest import RealPart
from tests.flink.alert_topics import alerts, put_in_force, with_topics
from tests.flink.polling import wait_until
from tests.integration.api_server import ApiServer
from tests.integration.deploying import SECONDS, other_code, submit
from tests.unit import test_rules_scenario as scenario
from tests.unit.test_rules_scenario import BINS, BUILDS, CODES, START, STEP

NEAR_THE_END = BINS - 12  # what lies after it is not closed, as nothing follows the file
STATEMENT = """
    SELECT max(start) >= toDateTime({begin:UInt32}, 'UTC') FROM scored_bins
    WHERE metric = 'errors' AND resolution = 10 AND labels['build'] = {build:String}"""


@pytest.fixture
def own(settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, tmp_path: Path) -> Settings:
    """Topics of the test's own, which do not follow the clock."""
    profiles = settings.profiles.model_copy(update={"path": str(tmp_path / "profiles")})
    narrow = settings.flink.model_copy(update={"parallelism": 1})
    changed = settings.model_copy(update={"state_dir": tmp_path, "profiles": profiles, "flink": narrow})
    return with_topics(changed, user_tags=1, points=1, series=1, rules=1, alerts=1, dead_letters=1)


@pytest.fixture
def jobs(own: Settings, tmp_path: Path) -> Iterator[None]:
    """Both are at work, with the rule in force."""
    put_in_force(own, scenario.RULES)
    cluster, code = FlinkCluster(own), other_code(tmp_path / "code", POINT_PIPELINES)  # no tags are sent
    ids = [submit(own, kind, f"errors-{kind.name}", code) for kind in (job_start.DATA, job_start.DETECTION)]
    for job_id in ids:
        cluster.wait_healthy(job_id, SECONDS)
    yield
    for job_id in ids:
        cluster.cancel(job_id, SECONDS)


@pytest.fixture
def api(own: Settings) -> Iterator[ApiServer]:
    topic = own.topics.points
    place = {"NAME": topic.name, "PARTITIONS": str(topic.partitions), "LIVE": "false"}
    server = ApiServer(own, **{f"TIDEWATCH_TOPICS__POINTS__{field}": value for field, value in place.items()})
    yield server
    server.stop()


def lines(counts: scenario.Counts) -> list[str]:
    """Of a file, in order of time: each record anywhere within its bin."""
    random = np.random.default_rng(1)
    found = []
    for build, code, number in np.argwhere(counts):
        times = START + number * STEP + random.integers(0, STEP, counts[build, code, number])
        found += [f"{format_millis(int(time))} {BUILDS[build]} {CODES[code]}" for time in times]
    return sorted(found)


def test_exactly_the_expected_alerts_come_and_go(own: Settings, jobs: None, api: ApiServer, tmp_path: Path) -> None:
    counts = scenario.an_hour(7)
    ((code, begin, end, first, last),) = scenario.by_numpy(counts)
    file = tmp_path / "errors.txt"
    file.write_text("\n".join(["Timestamp Build_Version Error_Code", *lines(counts)]))
    words = ["load", str(file), "--format", "errors", "--speed", "240", "--url", f"http://{own.host}:{api.port}"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.output) == (0, f"{counts.sum()} accepted, 0 refused\n")
    wait_until(lambda: judged_to_the_end(own))
    wait_until(lambda: len(alerts(own)) >= 2)  # they come with the next checkpoint, scores at once
    firing, resolved = alerts(own)
    scenario.assert_alert(firing, code, begin, first)
    scenario.assert_alert(resolved, code, begin, last, end)


def judged_to_the_end(own: Settings) -> bool:
    with sessions.connect(own) as client:
        wanted = {"begin": (START + NEAR_THE_END * STEP) // 1000, "build": BUILDS[0]}
        return bool(client.query(STATEMENT, wanted).result_rows[0][0])
