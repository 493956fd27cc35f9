"""The pipeline `metrics` on a collection: what comes to ClickHouse, `series` and `dead-letters` is what was sent."""

import functools
import operator
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment

from analysis import blocks
from contracts import dead_letters, series
from contracts.codec import Record
from contracts.point_codec import decode_points, encode_points, encode_points_arrow
from contracts.points import Point, Series, series_of
from contracts.series import Bin, Progress
from contracts.settings import Jobs, Settings, Topic, Topics
from contracts.times import MINUTE_MS
from contracts.watched_bins import BINS_PREFIX
from infra import topic_records
from infra import topics as kafka_topics
from jobs import metrics
from jobs.flink import BLOB, Source
from stores import clickhouse as sessions
from tests.conftest import START_SECONDS, RealPart
from tests.flink.conftest import Environments
from tests.flink.streams import Collection, collect, record_stream, texts
from tests.flink.test_operators import read

PARTITIONS = 4
MINUTES = 5
START_MS = 1_646_092_800_000  # 2022-03-01T00:00:00Z
WATCHED = "cpu"  # by rules: its bins of ten seconds are published, too, where they watch
SPANS = ((START_MS + 40_000, START_MS + 90_000), (START_MS + 150_000, None))
Key = tuple[int, int, int]  # resolution in seconds, series, start in seconds


class Sent(NamedTuple):
    """Records as they come, and the keys of some by offset."""

    records: list[Record]
    once: dict[int, str]


@dataclass(frozen=True)
class Run:
    """What was read, and what came of it run by run."""

    topic_id: UUID
    log: list[Record]  # as it counts: a record that repeats another is empty
    sent: Sent
    settings: Settings
    letters: list[list[dead_letters.DeadLetter]] = field(default_factory=list)
    messages: list[list[series.Message]] = field(default_factory=list)

    def points(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = decode_points(self.log).points.to_pylist()
        return rows

    def names(self) -> dict[int, Series]:
        return decode_points(self.log).series


def make_log(seed: int) -> list[Record]:
    """Partition = offset mod 4; points in both formats up to two minutes late, some lines bad."""
    dice, ingested = random.Random(seed), int(time.time() * 1000)  # noqa: S311  # repeatable
    all_series = [series_of(name, "gauge", {"host": host}) for name in (WATCHED, "mem") for host in "abc"]
    all_series += [series_of("errors", "counter", {"build": "1.2", "code": str(code)}) for code in (-7, 404)]
    log = []
    for number in range(120):
        timestamp = START_MS + number * MINUTES * MINUTE_MS // 120
        times = [max(START_MS, timestamp - dice.randrange(2 * MINUTE_MS)) for _ in range(dice.randrange(8))]
        points = [Point(dice.choice(all_series), at, dice.gauss(10, 3)) for at in times]
        bad = dice.choice([b"", b"", b"{}\n", b"\xfe\n"])
        payload = encode_points_arrow(points) if dice.random() < 0.3 else bad + encode_points(points)
        offset = number * 2 * PARTITIONS + dice.randrange(PARTITIONS)
        log.append(Record(offset, timestamp, ingested + number, payload))
    return log


def repeat(log: list[Record]) -> Sent:
    """What is sent when one record comes again under its key, which counts for nothing, and once under another key.

    What comes again is the original, which came in before what stands first in the log.
    """
    first = next(at for at, record in enumerate(log) if record.payload)
    same = [at for at, record in enumerate(log) if (record.offset - log[first].offset) % PARTITIONS == 0][1:]
    again, other = same[len(same) // 2], same[-1]
    log[other] = log[other]._replace(payload=log[first].payload)
    sent = list(log)
    log[again] = log[again]._replace(payload=b"", ingested=log[first].ingested - 1)
    sent[again] = log[again]._replace(payload=log[first].payload)
    return Sent(sent, {log[first].offset: "a", log[again].offset: "a", log[other].offset: "b"})


@pytest.fixture(scope="module")
def ran(environments: Environments, settings: Settings, broker: RealPart, clickhouse: RealPart) -> Run:
    log = make_log(23)
    sent = repeat(log)
    run = Run(uuid4(), log, sent, settings)
    # Timers by the clock that are pending when a bounded input ends do not fire: the first run flushes each record.
    for parallelism, flush_bytes in ((1, 1), (2, 2000)):
        bounds = {"flush_bytes": flush_bytes, "unwritten_bytes": 0}
        jobs = settings.jobs.model_copy(update={**bounds, "ten_second_metrics": []})
        execute(environments(parallelism), run, settings.model_copy(update={"jobs": jobs}))
    return run


def execute(env: StreamExecutionEnvironment, run: Run, settings: Settings) -> None:
    name = uuid4().hex
    points_topic = Topic(name="collected-points", partitions=PARTITIONS)
    series_topic, letters_topic = Topic(name=f"series-{name}"), Topic(name=f"letters-{name}", partitions=1)
    settings = watched(settings, Topics(series=series_topic, dead_letters=letters_topic))
    metrics.build(env, settings, Collection(points_topic, run.topic_id, {}, env, *run.sent))
    env.execute("metrics on a collection")
    run.letters.append([dead_letters.decode(value) for value in read(settings, letters_topic)])
    run.messages.append([one for value in read(settings, series_topic) for one in series.decode(value)])


def watched(settings: Settings, topics: Topics) -> Settings:
    """With these topics, and one of rules that watch as `SPANS` has it."""
    rules = Topic(name=f"rules-{uuid4().hex}", partitions=1)
    found = settings.model_copy(update={"topics": topics.model_copy(update={"rules": rules})})
    kafka_topics.ensure(found, START_SECONDS)
    topic_records.write(found, rules, {f"{BINS_PREFIX}{WATCHED}": msgspec.json.encode({"spans": SPANS})})
    return found


def query(run: Run, statement: str) -> list[tuple[Any, ...]]:
    with sessions.connect(run.settings) as client:
        return [tuple(row) for row in client.query(statement, {"topic_id": str(run.topic_id)}).result_rows]


def test_every_point_is_kept_once_under_its_place(ran: Run) -> None:
    rows = query(
        ran,
        "SELECT series, toUnixTimestamp64Milli(time), value, partition, offset, line FROM points FINAL "
        "WHERE topic_id = {topic_id:UUID}",
    )
    names = ("series", "time", "value")
    expected = [
        (*(point[name] for name in names), point["offset"] % PARTITIONS, point["offset"], point["line"])
        for point in ran.points()
    ]
    assert len(expected) > 200
    assert sorted(rows) == sorted(expected)


def test_every_series_has_its_name(ran: Run) -> None:
    rows = query(ran, "SELECT id, metric, kind, labels FROM point_series FINAL")
    found = {identity: (metric, kind, labels) for identity, metric, kind, labels in rows}
    for identity, one in ran.names().items():
        assert found[identity] == (one.name, one.kind, dict(one.labels))


def bins_of(points: list[dict[str, Any]], names: dict[int, Series]) -> dict[Key, list[dict[str, Any]]]:
    """The points of each bin, in the order of the log."""
    found: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for point in points:
        name, second = names[point["series"]].name, point["time"] // 1000
        start = (second - second % 10) * 1000
        fine = [1] * (name == "errors") + [10] * (name == WATCHED and is_watched(start))
        for resolution in (60, *fine):
            found[resolution, point["series"], second - second % resolution].append(point)
    return found


def is_watched(start: int) -> bool:
    return any(begin <= start and (end is None or start < end) for begin, end in SPANS)


def total(values: list[float]) -> float:
    """Added one after the other: newer Pythons' `sum` is more exact than that."""
    return functools.reduce(operator.add, values)


def test_bins_are_counted_by_block(ran: Run) -> None:
    rows = query(
        ran,
        "SELECT resolution, series, toUnixTimestamp(start), partition, block, version, count, sum, min, max, "
        "sum_squares, last, toUnixTimestamp64Milli(last_time) FROM bins FINAL WHERE topic_id = {topic_id:UUID}",
    )
    expected = []
    for partition in range(PARTITIONS):
        mine = [record for record in ran.log if record.offset % PARTITIONS == partition]
        for block, records in blocks.cut(None, mine):
            points, names, _ = decode_points(records)
            for key, held in bins_of(points.to_pylist(), names).items():
                values = [point["value"] for point in held]
                newest = max(enumerate(held), key=lambda pair: (pair[1]["time"], pair[0]))[1]
                squares = total([value * value for value in values])
                sums = (len(values), total(values), min(values), max(values), squares)
                place = (partition, block.start, held[-1]["offset"])
                expected.append((*key, *place, *sums, newest["value"], newest["time"]))
    assert len(expected) > 100
    assert sorted(rows) == sorted(expected)


def test_blocks_are_listed(ran: Run) -> None:
    rows = query(
        ran, "SELECT partition, block, last_offset, lines FROM point_blocks FINAL WHERE topic_id = {topic_id:UUID}"
    )
    expected = [
        (partition, block.start, block.last, block.lines)
        for partition in range(PARTITIONS)
        for block, _ in blocks.cut(None, [one for one in ran.log if one.offset % PARTITIONS == partition])
    ]
    assert sorted(rows) == sorted(expected)


def test_bad_lines_become_letters(ran: Run) -> None:
    expected = {
        f"{ran.topic_id}/{reject.offset % PARTITIONS}/{reject.offset}/{reject.line}"
        for reject in decode_points(ran.log).rejects
    }
    assert len(expected) > 10
    assert sorted(one.id for one in ran.letters[0]) == sorted(expected)
    assert {one.id for one in ran.letters[1]} <= expected  # its last pieces were not flushed


def test_published_bins_end_at_what_was_counted(ran: Run) -> None:
    expected = {key: held for key, held in bins_of(ran.points(), ran.names()).items() if key[0] != 1}
    spelled = {(one.name, one.labels): identity for identity, one in ran.names().items()}
    for messages in ran.messages:
        newest: dict[Key, Bin] = {}
        for one in messages:
            if isinstance(one, Bin):
                identity = spelled[one.metric, tuple(sorted(one.labels.items()))]
                key = (one.resolution // 1000, identity, one.start // 1000)
                if key not in newest or newest[key].revision < one.revision:
                    newest[key] = one
        assert {key: one.count for key, one in newest.items()} == {key: len(held) for key, held in expected.items()}
        for key, one in newest.items():
            values = [point["value"] for point in expected[key]]
            mean = sum(values) / len(values)
            assert one.value == pytest.approx(sum(values) if one.metric == "errors" else mean)
            assert one.values["sum"] == pytest.approx(sum(values))
            assert (one.values["min"], one.values["max"]) == (min(values), max(values))
        progress = [one for one in messages if isinstance(one, Progress)]
        assert {one.resolution for one in progress} == {10_000, 60_000}
        assert {one.stream for one in progress} == {"points"}


@pytest.mark.parametrize("bundle", [40, 7])
def test_history_that_is_read_fast_closes_each_bin_once(
    environments: Environments, settings: Settings, broker: RealPart, clickhouse: RealPart, bundle: int
) -> None:
    """Minutes pass in one bundle, or less than one: partials must leave before the watermark that closes their bins."""
    settings = watched(settings.model_copy(update={"jobs": Jobs(ten_second_metrics=[])}), settings.topics)
    two = [series_of(name, "gauge", {}) for name in (WATCHED, "mem")]
    points = [Point(two[at // 30 % 2], START_MS + 4000 * at, 1.0) for at in range(150)]  # each metric alone for minutes
    log = [Record(4 * at, one.time, one.time, encode_points([one])) for at, one in enumerate(points)]
    counter = metrics.PointCounter(settings, Source(settings.topics.points, uuid4(), {}), {7: 0})
    env = environments(bundle_size=bundle, bundle_milliseconds=5000)
    partials = record_stream(env, log).key_by(lambda row: 7, key_type=Types.INT())
    counted = partials.process(counter, Types.ROW([Types.INT(), BLOB()]))
    shards = counted.key_by(lambda row: row[0], key_type=Types.INT())
    through: defaultdict[tuple[int, int], int] = defaultdict(int)
    closed: list[Key] = []
    for key, value in collect(shards.process(metrics.BinCloser(settings.jobs), texts())):
        for one in series.decode(value.encode()):
            if isinstance(one, Progress):
                through[one.resolution, one.shard] = one.through
            else:
                assert one.start + one.resolution > through[one.resolution, int(key.split("-")[1])], "closed before"
                closed.append((one.resolution // 1000, series_of(one.metric, "gauge", {}).id, one.start // 1000))
    rows = [{"series": one.series.id, "time": one.time, "value": one.value} for one in points]
    assert sorted(closed) == sorted(key for key in bins_of(rows, {one.id: one for one in two}) if key[0] != 1)
