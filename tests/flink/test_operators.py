"""The job `data` over one collection, into a real Kafka, a real ClickHouse and an LMDB file.

The job is built as always and runs twice, cut into other pieces and with another parallelism, as after a replay: the
second run must change nothing of what the first has written.
"""

import random
import shutil
import time
from collections import Counter as Tally
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from analysis import arrow, blocks
from analysis.profile_updates import updates_of
from analysis.profiles import EMPTY, Profile, merge_profiles
from contracts import dead_letters, series
from contracts.codec import Record, decode, encode_arrow, encode_lines
from contracts.events import events_of, tags_of
from contracts.series import USER_TAG_METRICS, Bin
from contracts.settings import Jobs, Settings, Topic, Topics
from contracts.tags import UserTag, event_time
from contracts.times import MINUTE_MS
from infra import topics as kafka_topics
from jobs import data
from jobs.aggregates import Counter
from jobs.closer import MinuteCloser
from jobs.flink import BLOB, Source
from stores import clickhouse as sessions
from stores.profiles import open_store
from testbed.generator import START_MS, Traffic
from tests.conftest import START_SECONDS, RealPart
from tests.flink.conftest import Environments
from tests.flink.streams import Collection, collect, record_stream, texts

PARTITIONS = 4
TAGS_TOPIC = Topic(name="collected", partitions=PARTITIONS)
READ_SECONDS = 120.0
MINUTES = 5
HOUR_MS = 60 * MINUTE_MS
NAMES = ("origin", "brand_id", "category_id")


@dataclass(frozen=True)
class Run:
    """What was read, and what the operators yielded, run by run."""

    topic_id: UUID
    log: list[Record]
    letters: list[list[dead_letters.DeadLetter]]
    bins: list[list[Bin]]
    settings: Settings

    def partition(self, number: int) -> list[Record]:
        return [record for record in self.log if record.offset % PARTITIONS == number]

    def events(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = decode(self.log).events.to_pylist()
        return rows


def make_log(seed: int, ingested: int) -> list[Record]:
    """Records in the order of their timestamps, partition = offset mod 4; some lines are bad, some events late.

    `ingested`: epoch milliseconds; ClickHouse forgets rows by it.
    """
    dice, traffic = random.Random(seed), Traffic(seed, cookies=20, step_ms=1)  # noqa: S311  # repeatable
    log = []
    for number in range(120):
        timestamp = traffic.start_ms + number * MINUTES * MINUTE_MS // 120
        tags = [traffic.tag(dice.randrange(max(timestamp - traffic.start_ms, 1))) for _ in range(dice.randrange(6))]
        offset = number * 2 * PARTITIONS + dice.randrange(PARTITIONS)
        log.append(Record(offset, timestamp, ingested + number, payload(dice, tags)))
    return log


def payload(dice: random.Random, tags: list[UserTag]) -> bytes:
    if dice.random() < 0.3:
        return encode_arrow(events_of(tags, [event_time(tag) for tag in tags]))
    bad = dice.choice([b"", b"", b"", b"{}\n", b"\xfe\xff\n", b'{"cookie":"\xc3\xa9"\n'])
    return bad + encode_lines(tags)


@pytest.fixture(scope="module")
def ran(
    environments: Environments,
    settings: Settings,
    broker: RealPart,
    clickhouse: RealPart,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    profiles = settings.profiles.model_copy(update={"path": str(tmp_path_factory.mktemp("profiles"))})
    settings = settings.model_copy(update={"profiles": profiles})
    run = Run(uuid4(), make_log(11, int(time.time() * 1000)), [], [], settings)
    # Timers by the clock that are pending when a bounded input ends do not fire: the first run flushes each record.
    for parallelism, flush_bytes in ((1, 1), (2, 2000)):
        jobs = settings.jobs.model_copy(update={"flush_bytes": flush_bytes, "unwritten_bytes": 0})
        execute(environments(parallelism), run, settings.model_copy(update={"jobs": jobs}))
    return run


def test_history_that_is_read_fast_loses_no_bin(
    environments: Environments, settings: Settings, clickhouse: RealPart
) -> None:
    """Hours of a quiet stream pass in one bundle: each minute's partials must leave before the watermark closes it."""
    busy, quiet = Traffic(5, step_ms=3000), Traffic(6, START_MS + HOUR_MS, step_ms=HOUR_MS)
    tags = [*(busy.tag(number) for number in range(60)), *(quiet.tag(number) for number in range(100))]
    log = [Record(4 * at, event_time(tag), event_time(tag), encode_lines([tag])) for at, tag in enumerate(tags)]
    settings = settings.model_copy(update={"jobs": Jobs()})
    counter = Counter(settings, Source(settings.topics.user_tags, uuid4(), {}), {7: 0})
    env = environments(bundle_size=20, bundle_milliseconds=5000)
    partials = record_stream(env, log).key_by(lambda row: 7, key_type=Types.INT())
    shards = partials.process(counter, Types.ROW([Types.INT(), BLOB()])).key_by(
        lambda row: row[0], key_type=Types.INT()
    )
    messages = [
        message
        for _, value in collect(shards.process(MinuteCloser(settings.jobs), texts()))
        for message in series.decode(value.encode())
    ]
    totals = [
        one.start for one in messages if isinstance(one, Bin) and not one.labels and one.metric == "user_tags_views"
    ]
    assert sorted(totals) == sorted({event_time(tag) // MINUTE_MS * MINUTE_MS for tag in tags})


def test_the_first_record_after_a_start_wakes_every_closer(environments: Environments, settings: Settings) -> None:
    """A record without events does: in a quiet stream nothing else would come."""
    counter = Counter(settings, Source(settings.topics.user_tags, uuid4(), {}), {7: 0})
    ticks = [Record(offset, 1, 1, b"") for offset in range(2)]
    keyed = record_stream(environments(bundle_size=1), ticks).key_by(lambda row: 7, key_type=Types.INT())
    partials = collect(keyed.process(counter, Types.ROW([Types.INT(), BLOB()])))
    assert [shard for shard, _ in partials] == list(range(settings.jobs.series_shards))
    # Collected bytes come as Java's, which are signed.
    assert all(arrow.load(bytes(byte & 0xFF for byte in blob)).num_rows == 0 for _, blob in partials)


def execute(env: StreamExecutionEnvironment, run: Run, settings: Settings) -> None:
    """Builds the job on the collection, runs it to its end and notes what it sent, to topics of its own."""
    name = uuid4().hex
    series_topic, letters_topic = Topic(name=f"series-{name}"), Topic(name=f"letters-{name}", partitions=1)
    topics = Topics(user_tags=TAGS_TOPIC, series=series_topic, dead_letters=letters_topic)
    settings = settings.model_copy(update={"topics": topics})
    kafka_topics.ensure(settings, START_SECONDS)
    points = Collection(settings.topics.points, uuid4(), {}, env, [Record(0, 1, 1, b"")])
    data.build(env, settings, Collection(TAGS_TOPIC, run.topic_id, {}, env, run.log), points)
    env.execute("data on a collection")
    run.letters.append([dead_letters.decode(value) for value in read(settings, letters_topic)])
    messages = [message for value in read(settings, series_topic) for message in series.decode(value)]
    run.bins.append([message for message in messages if isinstance(message, Bin)])


def read(settings: Settings, topic: Topic) -> list[bytes]:
    """All that the topic holds of committed transactions, partition by partition."""
    options = {"group.id": str(uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
    consumer = Consumer({**settings.kafka_client, **options})
    consumer.assign([TopicPartition(topic.name, partition, 0) for partition in range(topic.partitions)])
    found: list[bytes] = []
    ended = 0
    while ended < topic.partitions:
        message = consumer.poll(READ_SECONDS)
        assert message is not None, f"nothing from {topic.name} for {READ_SECONDS} s"
        if (error := message.error()) is not None:
            assert error.code() == KafkaError._PARTITION_EOF, error
            ended += 1
        else:
            found.append(message.value() or b"")
    consumer.close()
    return found


def query(run: Run, statement: str) -> list[tuple[Any, ...]]:
    with sessions.connect(run.settings) as client:
        return [tuple(row) for row in client.query(statement, {"topic_id": str(run.topic_id)}).result_rows]


def test_every_event_is_archived_once_under_its_place(ran: Run) -> None:
    rows = query(
        ran,
        "SELECT partition, offset, line, toUnixTimestamp64Milli(time), time_text, cookie, country, device, action, "
        "origin, product_id, product_id_is_number, brand_id, category_id, price, toUnixTimestamp64Milli(ingested) "
        "FROM user_tags FINAL WHERE topic_id = {topic_id:UUID}",
    )
    fields = ("time", "time_text", "cookie", "country", "device", "action", "origin", "product_id")
    rest = ("product_id_is_number", "brand_id", "category_id", "price", "ingested")
    expected = [
        (event["offset"] % PARTITIONS, event["offset"], event["line"], *(event[name] for name in (*fields, *rest)))
        for event in ran.events()
    ]
    assert len(expected) > 200
    assert sorted(rows) == sorted(expected)


def test_aggregates_are_counted_by_block(ran: Run) -> None:
    rows = query(
        ran,
        "SELECT partition, block, toUnixTimestamp(minute), action, origin, brand_id, category_id, version, count, "
        "sum_price FROM aggregates_1m FINAL WHERE topic_id = {topic_id:UUID}",
    )
    expected: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for partition in range(PARTITIONS):
        for block, records in blocks.cut(None, ran.partition(partition)):
            for event in decode(records).events.to_pylist():
                minute = event["time"] // MINUTE_MS * 60
                key = (partition, block.start, minute, event["action"], *(event[name] for name in NAMES))
                group = expected[key]
                group[:] = event["offset"], group[1] + 1, group[2] + event["price"]
    assert sorted(rows) == sorted((*key, *group) for key, group in expected.items())


def test_blocks_are_listed(ran: Run) -> None:
    rows = query(
        ran,
        "SELECT partition, block, last_offset, lines, toUnixTimestamp(minute), toUnixTimestamp64Milli(ingested) "
        "FROM blocks FINAL WHERE topic_id = {topic_id:UUID}",
    )
    expected = [
        (partition, block.start, block.last, block.lines, block.minute * 60, block.ingested)
        for partition in range(PARTITIONS)
        for block, _ in blocks.cut(None, ran.partition(partition))
    ]
    assert len(expected) > PARTITIONS
    assert sorted(rows) == sorted(expected)


def test_bad_lines_become_letters_with_the_same_ids_in_each_run(ran: Run) -> None:
    expected = [
        dead_letters.letter(TAGS_TOPIC.name, ran.topic_id, reject.offset % PARTITIONS, reject)
        for reject in decode(ran.log).rejects
    ]
    assert len(expected) > 10
    first, second = ran.letters
    assert sorted(first, key=lambda one: one.id) == sorted(expected, key=lambda one: one.id)
    assert len({one.id for one in second}) == len(second)
    assert {one.id for one in second} <= {one.id for one in first}  # its last pieces were not flushed


def test_bins_end_at_what_was_counted(ran: Run) -> None:
    expected: Tally[tuple[str, str, str, int]] = Tally()
    for event in ran.events():
        start, bought = event["time"] // MINUTE_MS * MINUTE_MS, event["action"] == "BUY"
        labels = {"": "", "country": event["country"], "device": event["device"], "origin": event["origin"]}
        labels |= {"brand": event["brand_id"], "category": event["category_id"]}
        for label, value in labels.items():
            for metric, number in zip(USER_TAG_METRICS, (not bought, bought, bought * event["price"]), strict=True):
                expected[metric, label, value, start] += number
    for bins in ran.bins:
        newest: dict[tuple[str, str, str, int], Bin] = {}
        for one in bins:
            label, value = next(iter(one.labels.items()), ("", ""))
            before = newest.setdefault((one.metric, label, value, one.start), one)
            if before is not one:
                assert one.revision > before.revision
                newest[one.metric, label, value, one.start] = one
        assert {key: one.value for key, one in newest.items()} == expected


def test_profiles_hold_each_event_once(ran: Run, tmp_path: Path) -> None:
    expected: dict[str, Profile] = {}
    for partition in range(PARTITIONS):
        events = decode(ran.partition(partition)).events
        for cookie, update in updates_of(events, ran.topic_id, partition).items():
            expected[cookie] = merge_profiles(expected.get(cookie, EMPTY), update, ran.settings.profiles.keep)
    # A copy, as this process has the file open already: Flink's Python functions run in it.
    shutil.copytree(ran.settings.profiles_path, tmp_path / "copy")
    profiles = ran.settings.profiles.model_copy(update={"path": str(tmp_path / "copy")})
    store = open_store(ran.settings.model_copy(update={"profiles": profiles}), writable=False)
    assert {cookie: store.read(cookie) for cookie in expected} == expected
    store.close()
    held = [event.json for profile in expected.values() for event in [*profile.views, *profile.buys]]
    assert sorted(held) == sorted(encode_lines([tag]).strip() for tag in tags_of(decode(ran.log).events))
