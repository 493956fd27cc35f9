"""The job `data` on a real cluster: it grows by pipelines between two deployments, and ClickHouse goes away."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from cli import job_start
from contracts import dead_letters, names
from contracts.codec import encode_lines
from contracts.settings import Settings
from infra import package
from infra import topics as kafka_topics
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as sessions
from stores.profiles import ProfilesUnavailable, open_store
from testbed.generator import Traffic
from tests.conftest import RealPart
from tests.integration.deploying import LOOK, other_code, quick, topics_named

SECONDS = 240.0  # a machine under load takes a minute for one start
TAGS = 20  # a record
BAD = 10  # every tenth record has a bad line
COOKIES = 1000  # so that none outgrows its lists


class Log:
    """A topic of the test's own: what was sent to it, and what came of that."""

    def __init__(self, settings: Settings, topic_id: str) -> None:
        self.settings = settings
        self.topic_id = topic_id
        self.records = 0
        self._traffic = Traffic(4, cookies=COOKIES)
        self._producer = Producer({**settings.kafka_client, "acks": "all"})

    @property
    def tags(self) -> int:
        return self.records * TAGS

    @property
    def bad_lines(self) -> int:
        return -(-self.records // BAD)

    def send(self, records: int) -> None:
        """Returns once the broker has them."""
        topic = self.settings.topics.user_tags
        for number in range(self.records, self.records + records):
            tags = [self._traffic.tag(index) for index in range(number * TAGS, (number + 1) * TAGS)]
            self._producer.produce(
                topic.name,
                encode_lines(tags) + (b"bad\n" if number % BAD == 0 else b""),
                partition=number % topic.partitions,
                headers={names.EVENT_TIME_HEADER: str(self._traffic.time(number * 1500))},  # a minute is 40 records
            )
        assert self._producer.flush(SECONDS) == 0
        self.records += records

    def close(self) -> None:
        del self._producer  # which would look for its broker for as long as it lives

    def archived(self) -> int:
        return self._ask("SELECT count() FROM user_tags FINAL WHERE topic_id = {topic_id:UUID}")

    def counted(self) -> int:
        return self._ask("SELECT sum(count) FROM aggregates_1m FINAL WHERE topic_id = {topic_id:UUID}")

    def _ask(self, statement: str) -> int:
        with sessions.connect(self.settings) as client:
            return int(client.query(statement, {"topic_id": self.topic_id}).result_rows[0][0])

    def in_profiles(self) -> int:
        """Events in all profiles."""
        store = open_store(self.settings, writable=False)
        try:
            profiles = [store.read(self._traffic.cookie(number)) for number in range(COOKIES)]
        except ProfilesUnavailable:  # nothing was written yet
            return 0
        finally:
            store.close()
        return sum(len(profile.views) + len(profile.buys) for profile in profiles)

    def letters(self) -> Counter[str]:
        """How often each dead letter stands in the topic, transactions that were not committed left out."""
        options = {"group.id": str(uuid4()), "isolation.level": "read_committed", "enable.partition.eof": True}
        consumer = Consumer({**self.settings.kafka_client, **options})
        consumer.assign([TopicPartition(self.settings.topics.dead_letters.name, 0, 0)])
        found: Counter[str] = Counter()
        while (message := consumer.poll(SECONDS)) is not None and not message.error():
            found[dead_letters.decode(message.value() or b"").id] += 1
        consumer.close()
        return found


def wait_for(ask: Callable[[], object], wanted: object) -> None:
    """Until the answer is the wanted one."""
    deadline = time.monotonic() + SECONDS
    while (answer := ask()) != wanted:
        assert time.monotonic() < deadline, f"{answer} after {SECONDS:.0f} s, not {wanted}"
        time.sleep(LOOK)


class Job:
    """The job that runs now, by whatever code."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.cluster = FlinkCluster(settings)
        self._log = log
        self.id = ""

    def start(self, code: Path, restore: str | None = None) -> None:
        ids = kafka_topics.topic_ids(self._log.settings)
        arguments = job_start.arguments(self._log.settings, job_start.DATA, ids)
        self.id = self.cluster.submit("grown", "jobs.data", arguments, restore, code=code, timeout=SECONDS)

    def wait_for_checkpoints(self, number: int) -> None:
        """That many more, begun from now on."""
        wanted = self.cluster.metrics(self.id, time.time()).checkpoints + number + 1
        wait_for(lambda: self.cluster.metrics(self.id, time.time()).checkpoints >= wanted, True)


@pytest.fixture(scope="module")
def log(
    settings: Settings,
    flink: RealPart,
    broker: RealPart,
    clickhouse: RealPart,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Log]:
    topics = topics_named(f"grown-{uuid4().hex[:8]}")
    profiles = settings.profiles.model_copy(update={"path": str(tmp_path_factory.mktemp("profiles"))})
    own = quick(settings.model_copy(update={"topics": topics, "profiles": profiles}))
    log = Log(own, kafka_topics.ensure(own, SECONDS)[topics.user_tags.name])
    yield log
    log.close()


@pytest.fixture(scope="module")
def job(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """A job of all pipelines, restored from the savepoint of one that had `archive` alone."""
    job = Job(log.settings, log)
    log.send(60)
    job.start(other_code(tmp_path_factory.mktemp("code"), ["archive"]))  # of an earlier day, as it were
    wait_for(log.archived, log.tags)
    log.send(30)
    savepoint = job.cluster.stop_with_savepoint(job.id, SECONDS)
    log.send(30)
    job.start(package.store(tmp_path_factory.mktemp("code")), savepoint)
    yield job
    job.cluster.cancel(job.id, SECONDS)


def test_new_pipelines_strand_no_offsets_of_the_old_one(log: Log, job: Job) -> None:
    """The archive goes on where it stood, its letters come once; the new ones begin at the beginning."""
    wait_for(lambda: (log.archived(), log.counted()), (log.tags, log.tags))
    wait_for(log.in_profiles, log.tags)
    wait_for(lambda: len(log.letters()), log.bad_lines)
    job.wait_for_checkpoints(1)  # with which a letter that was written again would be committed
    letters = log.letters()
    assert (len(letters), max(letters.values())) == (log.bad_lines, 1)
    assert log.archived() == log.counted() == log.tags


def test_records_wait_in_state_while_clickhouse_is_away(log: Log, job: Job, clickhouse: RealPart) -> None:
    """The job goes on, with checkpoints and profiles; nothing is lost or counted twice once the server is back."""
    wait_for(lambda: (log.archived(), log.counted()), (log.tags, log.tags))
    clickhouse.kill()
    try:
        log.send(60)
        job.wait_for_checkpoints(2)
        wait_for(log.in_profiles, log.tags)
        assert job.cluster.state(job.id) == "RUNNING"
    finally:
        clickhouse.start()
    wait_for(lambda: (log.archived(), log.counted()), (log.tags, log.tags))
    assert job.cluster.metrics(job.id, time.time()).restarts == 0
    wait_for(lambda: len(log.letters()), log.bad_lines)
    assert max(log.letters().values()) == 1
