"""Audit, rebuild and replay, as commands, on a database of their own that the pipelines' own functions filled."""

import random
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer, TopicPartition

from analysis.bin_counting import BinCount
from analysis.bin_counting import fold as fold_bins
from analysis.counting import fold
from analysis.profile_updates import updates_of
from analysis.profiles import EMPTY, Profile, merge_profiles
from cli import audit, rebuild, replay
from cli import letters as dead
from contracts import coded, dead_letters
from contracts.codec import Record, Reject, decode, encode_arrow, encode_lines
from contracts.events import events_of
from contracts.names import EVENT_TIME_HEADER
from contracts.point_codec import decode_points, encode_points_arrow
from contracts.points import Point, decode_point, encode_point, series_of
from contracts.settings import Settings
from contracts.settings_source import load
from contracts.tags import decode_tag, encode_tag, event_time
from infra import log_size
from infra import topics as kafka_topics
from jobs.point_rows import bin_rows, point_rows, series_rows
from jobs.point_rows import block_rows as point_block_rows
from jobs.starts import block_starts
from stores import archive, migrations
from stores import clickhouse as sessions
from stores.profiles import open_store
from testbed.generator import Traffic
from tests.conftest import RealPart
from tests.integration.api_server import ApiServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink, which these import, uses at import much that is deprecated
    from jobs.aggregates import aggregate_rows, block_rows
    from jobs.archive import archive_rows

PARTITIONS = 2
ALL_AGGREGATES = "SELECT * FROM aggregates_1m FINAL ORDER BY ALL"


@dataclass(frozen=True)
class World:
    """A database that holds a topic's archive and what was counted from it."""

    settings: Settings
    topic_id: UUID
    logs: list[list[Record]]  # by partition

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with sessions.connect(self.settings) as client:
            return [tuple(row) for row in client.query(statement).result_rows]

    def command(self, statement: str) -> None:
        with sessions.connect(self.settings) as client:
            client.command(statement)

    def insert(self, table: str, rows: pa.Table) -> None:
        with sessions.connect(self.settings) as client:
            client.insert_arrow(table, rows)


def make_log(traffic: Traffic, partition: int, ingested: int) -> list[Record]:
    """Twelve records over three minutes, tags up to a minute late."""
    log = []
    for number in range(12):
        timestamp = traffic.start_ms + number * 15_000
        first = max(0, number * 15_000 - 60_000 * (number % 2)) + partition
        tags = [traffic.tag(first + step * 700) for step in range(20)]
        log.append(Record(10 + number * 3, timestamp, ingested + number, encode_lines(tags)))
    return log


@pytest.fixture
def world(settings: Settings, clickhouse: RealPart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Everything archived and counted; the commands find it by their settings."""
    name = f"tools_{uuid4().hex[:8]}"
    monkeypatch.setenv("TIDEWATCH_CLICKHOUSE__DATABASE", name)
    monkeypatch.setenv("TIDEWATCH_PROFILES__PATH", str(tmp_path / "profiles"))
    own = load()
    migrations.apply(own)
    ingested = int(time.time() * 1000) - 3_600_000
    logs = [make_log(Traffic(partition, cookies=5), partition, ingested) for partition in range(PARTITIONS)]
    made = World(own, uuid4(), logs)
    for partition, log in enumerate(logs):
        counts = fold(None, log).counts
        made.insert("user_tags", archive_rows(decode(log).events, made.topic_id, partition))
        rows = [aggregate_rows(count, made.topic_id, partition) for count in counts]
        made.insert("aggregates_1m", coded.table(rows, rows[0].schema))
        made.insert("blocks", block_rows(counts, made.topic_id, partition))
    yield made
    made.command(f"DROP DATABASE {name}")


def audited() -> Result:
    return CliRunner().invoke(audit.command, ["--wait", "0"])


def rebuilt(*what: str, status: int = 0) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "BLOCKS_A_STATEMENT", 2)  # several runs of blocks a partition
        result = CliRunner().invoke(rebuild.command, [*what, "--wait", "0"])
    assert result.exit_code == status, result.output
    return result.output


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
    world.insert("user_tags", archive_rows(decode([ahead]).events, world.topic_id, 0))
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


@pytest.fixture
def log(world: World, broker: RealPart, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The world's settings with a topic of its own that holds its logs, from offset 0 on."""
    monkeypatch.setenv("TIDEWATCH_TOPICS__USER_TAGS__NAME", f"tools-{uuid4().hex[:8]}")
    own = load()
    kafka_topics.ensure(own, 60)
    producer = Producer(own.kafka_client)
    for partition, records in enumerate(world.logs):
        for record in [*records, records[0]._replace(payload=b"no tag\n"), records[0]._replace(payload=b"")]:
            producer.produce(
                own.topics.user_tags.name,
                record.payload,
                partition=partition,
                timestamp=record.ingested,
                headers={EVENT_TIME_HEADER: str(record.event_time)},
            )
    assert producer.flush(60) == 0
    return own


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


SENT_AT = 1_646_092_800_000  # 2022-03-01T00:00:00Z
ALL_BINS = "SELECT * FROM bins FINAL ORDER BY ALL"


@pytest.fixture
def points(world: World) -> World:
    """The same world with points too, of three blocks a partition, counted in pieces as the job does."""
    dice = random.Random(5)  # noqa: S311  # repeatable
    series = [series_of("cpu", "gauge", {"host": "a"}), series_of("errors", "counter", {"build": "1", "code": "-7"})]
    ingested, jobs = world.logs[0][0].ingested, world.settings.jobs
    fine = {1: jobs.second_metrics, 10: jobs.ten_second_metrics}
    for partition in range(PARTITIONS):
        log = []
        for number in range(12):
            newest = SENT_AT + number * 15_000
            made = [Point(dice.choice(series), newest - dice.randrange(40_000), dice.gauss(0, 1e9)) for _ in range(20)]
            log.append(Record(10 + number * 3, newest, ingested + number, encode_points_arrow(made)))
        count: BinCount | None = None
        counts: dict[int, BinCount] = {}
        for record in log:
            folded = fold_bins(count, [record], fine)
            count = folded.counts[-1]
            counts |= {one.block.start: one for one in folded.counts}
            for decoded in folded.decoded:
                world.insert("points", point_rows(decoded.points, world.topic_id, partition))
                world.insert("point_series", series_rows(list(decoded.series.values()), ingested // 86_400_000))
        world.insert("bins", bin_rows(list(counts.values()), world.topic_id, partition))
        listed = [one.block for one in counts.values()]
        world.insert("point_blocks", point_block_rows(listed, world.topic_id, partition))
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


@pytest.mark.parametrize(
    "damage",
    [
        "TRUNCATE TABLE bins",
        "DELETE FROM bins WHERE block = 10",
        "ALTER TABLE bins UPDATE count = 99, sum = 0 WHERE resolution = 1 SETTINGS mutations_sync = 1",
    ],
)
def test_rebuild_makes_the_bins_that_the_job_wrote(points: World, damage: str) -> None:
    """The same keys, versions and numbers, to the bit."""
    before = points.query(ALL_BINS)
    assert {row[0] for row in before} == {1, 10, 60}
    points.command(damage)
    assert points.query(ALL_BINS) != before
    for _ in range(2):
        assert "480 points are counted" in rebuilt("bins")
        assert points.query(ALL_BINS) == before
    assert audited().exit_code == 0


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


TAG = Traffic(9).tag(5)
BROKEN = encode_tag(TAG).replace(b'"PC"', b'"FRIDGE"').replace(b'"MOBILE"', b'"FRIDGE"').replace(b'"TV"', b'"FRIDGE"')


@pytest.fixture
def letters(settings: Settings, topics: dict[str, str], clickhouse: RealPart) -> Iterator[list[bytes]]:
    """Three dead letters: a broken tag, bytes that are no text, and a good tag."""
    data = [BROKEN, b"\xfe\xff", encode_tag(TAG)]
    producer = Producer(settings.kafka_client)
    for offset, held in enumerate(data):
        letter = dead_letters.letter("user-tags", uuid4(), 0, Reject(offset, 0, "device", f"reason {offset}", held))
        producer.produce(settings.topics.dead_letters.name, dead_letters.encode(letter).encode(), letter.id)
    assert producer.flush(30) == 0
    yield data


def test_a_letter_of_a_whole_record_is_not_taken_for_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its events go as lines once they can be read; until then it stays one piece."""
    whole = encode_arrow(events_of([TAG, TAG], [event_time(TAG)] * 2))
    made = [
        dead_letters.letter("user-tags", uuid4(), 1, Reject(7, -1, "", "not yet", data))
        for data in (whole, b"\xff\xff\xff\xff a\nb")
    ]
    assert dead.lines_of(made[0], dead.TAGS) == [encode_tag(TAG)] * 2
    assert dead.lines_of(made[1], dead.TAGS) == []
    assert "not an Arrow stream of events" in capsys.readouterr().out
    line = dead_letters.letter("user-tags", uuid4(), 0, Reject(8, 3, "", "bad", b"{"))
    dead.save(tmp_path / "letters.ndjson", [made[1], line])
    assert (tmp_path / "letters.ndjson").read_bytes() == b"{\n"
    assert (tmp_path / "letters-1-7.arrow").read_bytes() == made[1].original()


def test_a_bad_row_of_an_arrow_record_can_be_mended_like_a_line() -> None:
    """Its letter holds what a client would have sent, and says which field is wrong."""
    bad = msgspec.structs.replace(TAG, device="FRIDGE")
    now = event_time(TAG)
    ((_, line, field, reason, data),) = decode(
        [Record(3, now, now, encode_arrow(events_of([TAG, bad], [now] * 2)))]
    ).rejects
    assert (line, field) == (1, "device")
    assert "FRIDGE" in reason
    assert decode_tag(data.replace(b"FRIDGE", TAG.device.encode())) == TAG


def test_letters_of_points_go_where_points_go(settings: Settings) -> None:
    point = Point(series_of("cpu", "gauge", {"host": "a"}), event_time(TAG), 7.5)
    now = event_time(TAG)
    record = encode_points_arrow([point, point._replace(value=float("nan"))])
    ((*_, data),) = decode_points([Record(3, now, now, record)]).rejects
    assert decode_point(data.replace(b'"nan"', b"7.5"), now) == point
    topic = settings.topics.points.name
    whole = dead_letters.letter(topic, uuid4(), 1, Reject(7, -1, "", "not yet", encode_points_arrow([point])))
    assert dead.route(settings, whole) == dead.POINTS
    assert dead.lines_of(whole, dead.POINTS) == [encode_point(point)]
    other = dead_letters.letter("gone", uuid4(), 1, Reject(7, 0, "", "not yet", b"{"))
    assert dead.route(settings, other) is None


def replayed(*arguments: str) -> str:
    result = CliRunner().invoke(replay.command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_replay_lists_and_saves_letters(letters: list[bytes], tmp_path: Path) -> None:
    listed = replayed()
    for number, data in enumerate(letters):
        assert f"device: reason {number}: {data[:80]!r}" in listed
    path = tmp_path / "letters.ndjson"
    replayed("--save", str(path))
    saved = path.read_bytes()
    assert all(data + b"\n" in saved for data in letters)
    replayed("--reason", "reason 0", "--save", str(path))
    assert letters[0] + b"\n" in path.read_bytes()
    assert letters[1] not in path.read_bytes()


def test_replay_sends_letters_once(
    settings: Settings, letters: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the API took is not offered again: a choice by reason, and what is still wrong, hide no other."""
    api = ApiServer(settings)
    monkeypatch.setenv("TIDEWATCH_API__PORT", str(api.port))
    try:
        before = replayed()
        assert replayed("--send", "--reason", "no letter's reason") == "nothing to send\n"
        assert replayed() == before
        assert "still wrong" in replayed("--send", "--reason", "reason 0")
        assert replayed() == before
        assert re.search(r"[1-9]\d* accepted, 0 still wrong", replayed("--send", "--reason", "reason 2"))
        assert replayed().count("reason 2") == 0
        assert replayed().count("reason 0") == before.count("reason 0")
        assert replayed("--all").count("reason 2") == before.count("reason 2")
        mended = tmp_path / "mended.ndjson"
        mended.write_bytes(BROKEN.replace(b"FRIDGE", b"PC") + b"\n")
        assert "1 accepted, 0 still wrong" in replayed("--load", str(mended))
    finally:
        api.stop()
