"""Audit and rebuild, as commands, of points: on a database that the pipelines' own functions filled."""

import random
import re
from uuid import uuid4

import pyarrow as pa
import pytest

from analysis.bin_counting import BinCount, fine_bins
from analysis.bin_counting import fold as fold_bins
from contracts import watched_bins
from contracts.codec import Record
from contracts.point_codec import encode_points_arrow
from contracts.points import Point, series_of
from contracts.settings_source import load
from infra import topic_records
from infra import topics as kafka_topics
from jobs.point_rows import bin_rows, point_rows, series_rows
from jobs.point_rows import block_rows as point_block_rows
from tests.conftest import START_SECONDS, RealPart
from tests.integration.archive_world import PARTITIONS, World, audited, rebuilt

SENT_AT = 1_646_092_800_000  # 2022-03-01T00:00:00Z
# What rules watched of the metric `cpu`, as the topic says it.
WATCHED = {"bins/cpu": b'{"spans":[[1646092830000,1646092890000],[1646092900000,null]]}'}
ALL_BINS = "SELECT * FROM bins FINAL ORDER BY ALL"
BINS_OF_CPU = """
    SELECT uniqExact(start) FROM bins
    WHERE resolution = 10 AND series IN (SELECT id FROM point_series WHERE metric = 'cpu')"""


@pytest.fixture
def points(world: World) -> World:
    """The same world with points too, of three blocks a partition, counted in pieces as the job does; rules watched one
    metric for a while."""
    dice = random.Random(5)  # noqa: S311  # repeatable
    series = [series_of("cpu", "gauge", {"host": "a"}), series_of("errors", "counter", {"build": "1", "code": "-7"})]
    ingested, jobs = world.logs[0][0].ingested, world.settings.jobs
    fine = fine_bins(jobs, watched_bins.from_records(WATCHED)[0])
    for partition in range(PARTITIONS):
        log = []
        for number in range(12):
            newest = SENT_AT + number * 15_000
            made = [Point(dice.choice(series), newest - dice.randrange(40_000), dice.gauss(0, 1e9)) for _ in range(20)]
            log.append(Record(10 + number * 3, newest, ingested + number, encode_points_arrow(made)))
        count: BinCount | None = None
        counts: dict[int, BinCount] = {}
        tables: list[tuple[str, pa.Table]] = []
        for record in log:
            folded = fold_bins(count, [record], fine)
            count = folded.counts[-1]
            counts |= {one.block.start: one for one in folded.counts}
            for decoded in folded.decoded:
                tables += [
                    ("points", point_rows(decoded.points, world.topic_id, partition)),
                    ("point_series", series_rows(list(decoded.series.values()), ingested // 86_400_000)),
                ]
        listed = [one.block for one in counts.values()]
        tables += [
            ("bins", bin_rows(list(counts.values()), world.topic_id, partition)),
            ("point_blocks", point_block_rows(listed, world.topic_id, partition)),
        ]
        world.insert(*tables)
    return world


def test_audit_finds_points_and_bins_equal(points: World) -> None:
    result = audited()
    assert result.exit_code == 0, result.output
    assert "480 points kept, 480 counted, in 6 blocks of the log" in result.output
    assert "points and bins are equal" in result.output


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM bins WHERE resolution = 60 AND block = 10",
        "ALTER TABLE bins UPDATE count = count + 1 WHERE resolution = 60 SETTINGS mutations_sync = 1",
        "ALTER TABLE bins UPDATE sum = sum + 0.01 WHERE resolution = 60 AND block = 10 SETTINGS mutations_sync = 1",
        "INSERT INTO bins SELECT * REPLACE (series + 1 AS series) FROM bins WHERE resolution = 60 LIMIT 1",
        "DELETE FROM points WHERE offset = 10",
        "INSERT INTO points SELECT * REPLACE (20 AS offset) FROM points LIMIT 1",  # between two blocks
    ],
)
def test_audit_finds_any_difference_of_points(points: World, damage: str) -> None:
    points.command(damage)
    result = audited()
    assert result.exit_code == 1, result.output
    assert re.search(r"[1-9]\d* differences; `tidewatch rebuild bins`", result.output)


def test_audit_says_that_the_bins_stand_still(points: World) -> None:
    points.command("INSERT INTO points SELECT * REPLACE (100 AS offset) FROM points WHERE partition = 0 LIMIT 1")
    result = audited()
    assert result.exit_code == 1
    assert f"topic {points.topic_id} partition 0: archived up to offset 100, counted up to 43" in result.output
    assert "the bins stand still" in result.output


@pytest.fixture
def rules(broker: RealPart, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic of rules, of the test's own, says the same."""
    monkeypatch.setenv("TIDEWATCH_TOPICS__RULES__NAME", f"rules-{uuid4().hex[:8]}")
    own = load()
    kafka_topics.ensure(own, START_SECONDS)
    topic_records.write(own, own.topics.rules, WATCHED)


@pytest.mark.parametrize(
    "damage",
    [
        "TRUNCATE TABLE bins",
        "DELETE FROM bins WHERE block = 10",
        "ALTER TABLE bins UPDATE count = 99, sum = 0 WHERE resolution = 1 SETTINGS mutations_sync = 1",
    ],
)
def test_rebuild_makes_the_bins_that_the_job_wrote(points: World, rules: None, damage: str) -> None:
    """The same keys, versions and numbers, to the bit."""
    before = points.query(ALL_BINS)
    assert {row[0] for row in before} == {1, 10, 60}
    assert points.query(BINS_OF_CPU)[0][0] > 5
    points.command(damage)
    assert points.query(ALL_BINS) != before
    for _ in range(2):
        assert "480 points are counted" in rebuilt("bins")
        assert points.query(ALL_BINS) == before
    assert audited().exit_code == 0
