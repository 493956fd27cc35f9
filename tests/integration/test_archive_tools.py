"""Audit and rebuild, as commands, of tags: on a database that the pipelines' own functions filled."""

import re
import warnings
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition

from analysis.counting import fold
from analysis.profile_updates import updates_of
from analysis.profiles import EMPTY, Profile, merge_profiles
from contracts.codec import Record, decode
from contracts.settings import Settings
from infra import log_size
from infra import topics as kafka_topics
from jobs.starts import block_starts
from stores.profiles import open_store
from tests.integration.archive_world import PARTITIONS, World, audited, rebuilt

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink, which these import, uses at import much that is deprecated
    from jobs.archive import archive_rows

ALL_AGGREGATES = "SELECT * FROM aggregates_1m FINAL ORDER BY ALL"


def test_audit_finds_archive_and_aggregates_equal(world: World) -> None:
    result = audited()
    assert result.exit_code == 0, result.output
    assert "480 events archived, 480 counted" in result.output
    assert "archive and aggregates are equal" in result.output


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM aggregates_1m WHERE block = 10 AND action = 'BUY'",
        "ALTER TABLE aggregates_1m UPDATE count = count + 1 WHERE action = 'BUY' SETTINGS mutations_sync = 1",
        "ALTER TABLE aggregates_1m UPDATE sum_price = sum_price - 1 WHERE block = 10 SETTINGS mutations_sync = 1",
        "INSERT INTO aggregates_1m SELECT * REPLACE ('nobody' AS origin) FROM aggregates_1m LIMIT 1",
        "INSERT INTO aggregates_1m SELECT * REPLACE (11 AS block) FROM aggregates_1m LIMIT 1",
        "DELETE FROM user_tags WHERE offset = 10",
        "INSERT INTO user_tags SELECT * REPLACE (20 AS offset) FROM user_tags LIMIT 1",  # between two blocks
    ],
)
def test_audit_finds_any_difference(world: World, damage: str) -> None:
    world.command(damage)
    result = audited()
    assert result.exit_code == 1, result.output
    assert re.search(r"[1-9]\d* differences; `tidewatch rebuild aggregates`", result.output)
    assert f"topic {world.topic_id} partition" in result.output


def test_audit_says_that_the_aggregates_stand_still(world: World) -> None:
    """The archive may be ahead of the aggregates: that is no difference, but it must not stay so."""
    ahead = Record(100, world.logs[0][-1].event_time, world.logs[0][-1].ingested, world.logs[0][0].payload)
    world.insert(("user_tags", archive_rows(decode([ahead]).events, world.topic_id, 0)))
    result = audited()
    assert result.exit_code == 1
    assert f"topic {world.topic_id} partition 0: archived up to offset 100, counted up to 43" in result.output
    assert "differences" not in result.output


@pytest.mark.parametrize(
    "damage",
    [
        "TRUNCATE TABLE aggregates_1m",
        "DELETE FROM aggregates_1m WHERE block = 10",
        "ALTER TABLE aggregates_1m UPDATE count = 99 WHERE action = 'BUY' SETTINGS mutations_sync = 1",
    ],
)
def test_rebuild_makes_the_rows_that_the_job_wrote(world: World, damage: str) -> None:
    """The same keys, versions, counts and sums."""
    before = world.query(ALL_AGGREGATES)
    world.command(damage)
    assert world.query(ALL_AGGREGATES) != before
    rebuilt("aggregates")
    assert world.query(ALL_AGGREGATES) == before
    assert audited().exit_code == 0
    rebuilt("aggregates")
    assert world.query(ALL_AGGREGATES) == before


def test_rebuild_leaves_what_the_job_counted_since(world: World) -> None:
    """A row of a newer version, of events that the archive has not yet, stays."""
    newer = "INSERT INTO aggregates_1m SELECT * REPLACE (version + 1000 AS version, count + 1 AS count) "
    world.command(newer + "FROM aggregates_1m LIMIT 1")
    before = world.query(ALL_AGGREGATES)
    assert "1 differences to the archive remain" in rebuilt("aggregates", status=1)
    assert world.query(ALL_AGGREGATES) == before


def test_rebuild_counts_what_lies_between_a_listing_and_the_next_block(world: World) -> None:
    world.command("INSERT INTO user_tags SELECT * REPLACE (20 AS offset) FROM user_tags LIMIT 1")
    assert audited().exit_code == 1
    rebuilt("aggregates")
    result = audited()
    assert "481 events archived, 481 counted" in result.output
    assert result.exit_code == 0, result.output


def test_a_start_without_state_begins_at_the_newest_block_that_is_archived(
    world: World, topics: dict[str, str]
) -> None:
    newest = [fold(None, log).counts[-1].block.start for log in world.logs]
    starts = block_starts(world.settings, world.topic_id)
    assert [starts[partition] for partition in range(PARTITIONS)] == newest
    world.command(f"DELETE FROM user_tags WHERE partition = 1 AND offset >= {newest[1]}")  # noqa: S608  # a number
    behind = fold(None, world.logs[1]).counts[-2].block.start
    assert block_starts(world.settings, world.topic_id)[1] == behind
    assert block_starts(world.settings, uuid4()) == {}


def test_audit_finds_a_group_under_another_name(world: World) -> None:
    """Counts and prices of its minute stay what they were."""
    one = "SELECT * FROM aggregates_1m FINAL ORDER BY ALL LIMIT 1"
    ((origin,),) = world.query(f"SELECT origin FROM ({one})")  # noqa: S608  # our own statement
    world.command(f"INSERT INTO aggregates_1m SELECT * REPLACE ('nobody' AS origin) FROM ({one})")  # noqa: S608  # likewise
    keys = "minute, action, origin, brand_id, category_id, topic_id, partition, block"
    world.command(
        f"DELETE FROM aggregates_1m WHERE ({keys}) IN (SELECT {keys} FROM aggregates_1m FINAL WHERE "  # noqa: S608
        f"origin = '{origin}' ORDER BY ALL LIMIT 1)"
    )
    result = audited()
    assert result.exit_code == 1, result.output
    assert "origins, brands or categories differ" in result.output


def test_an_emptied_archive_is_filled_from_the_log_as_far_as_it_goes(world: World, log: Settings) -> None:
    """The same events, in the same days; of the trimmed ones it is told."""
    events = "SELECT * EXCEPT (topic_id, offset) FROM user_tags FINAL ORDER BY ALL"
    before = world.query(events)
    world.command("TRUNCATE TABLE user_tags")
    for _ in range(2):
        told = rebuilt("archive")
        assert "partition 0: 240 events from offset 0 on, which came in since 20" in told
        assert world.query(events) == before
    world.command("TRUNCATE TABLE user_tags")
    log_size.trim(log, log.topics.user_tags.name, {0: 3, 1: 14})
    told = rebuilt("archive")
    assert re.search(r"partition 0: 180 events from offset 3 on.*; what was before is no longer in the log", told)
    assert "partition 1: the log is empty" in told
    assert world.query("SELECT count(), min(offset) FROM user_tags FINAL") == [(180, 3)]


@pytest.mark.parametrize("archived", [100, 6, 0])
def test_rebuild_fills_the_profiles_with_each_event_once(world: World, log: Settings, archived: int) -> None:
    """Those among them that the archive, which holds `archived` records of each partition, is still to get."""
    topic_id = UUID(kafka_topics.topic_ids(log)[log.topics.user_tags.name])
    expected: dict[str, Profile] = {}
    for partition, records in enumerate(world.logs):
        placed = [record._replace(offset=number) for number, record in enumerate(records)]
        for cookie, update in updates_of(decode(placed).events, topic_id, partition).items():
            expected[cookie] = merge_profiles(expected.get(cookie, EMPTY), update, log.profiles.keep)
    world.command("TRUNCATE TABLE user_tags")
    rebuilt("archive")
    world.command(f"DELETE FROM user_tags WHERE offset >= {archived}")  # noqa: S608  # a number
    for _ in range(2):
        rebuilt("profiles")
        store = open_store(log, writable=False)
        assert {cookie: store.read(cookie) for cookie in expected} == expected
        store.close()


def test_a_start_without_state_goes_back_behind_what_was_committed(world: World, log: Settings) -> None:
    """Dead letters and profiles of what lies after the last commit were lost with the state."""
    starts = [count.block.start for count in fold(None, world.logs[0]).counts]
    assert len(starts) == 3
    newest = block_starts(log, world.topic_id)
    assert newest[0] == starts[2]
    for committed, expected in ((100, 1), (starts[2], 1), (starts[2] - 1, 0), (starts[1], 0), (starts[0], 0)):
        for pipeline in ("archive", "profiles"):
            group = {"group.id": f"tidewatch-{pipeline}", "enable.auto.commit": False}
            consumer = Consumer({**log.kafka_client, **group})
            place = TopicPartition(log.topics.user_tags.name, 0, committed + (pipeline == "archive"))
            consumer.commit(offsets=[place], asynchronous=False)
            consumer.close()
        assert block_starts(log, world.topic_id) == {0: starts[expected], 1: newest[1]}
