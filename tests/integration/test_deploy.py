"""`tidewatch deploy` on real parts: code is replaced while traffic goes on, and what was counted is what was sent.

One test tells one story, in order, because each start of the job takes many seconds.
"""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli import job_start
from cli.deploy import Options, deploy
from cli.job_start import JOBS, DeployError, Start
from contracts import names
from contracts.codec import encode_lines
from contracts.settings import Settings, Topic, Topics
from infra import package
from infra import topics as kafka_topics
from infra.flink import handover
from infra.flink.rest import FlinkError, until
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as store
from testbed.generator import Traffic
from tests.conftest import RealPart

SECONDS = 240.0  # a machine under load takes a minute for one start
FAIL = """

def _fail(self, ctx):
    raise RuntimeError("broken at work")

PartitionBuffer.flush_now = _fail
"""
BATCH = 20  # tags a record
PAUSE = 0.05  # seconds between records: 400 tags a second


@pytest.fixture(scope="module")
def own(
    settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, module_folder: Path
) -> Iterator[Settings]:
    """Topics and a state folder of these tests' own; the job is gone afterwards."""
    own = settings.model_copy(update={"topics": topics_named("deployed"), "state_dir": module_folder})
    kafka_topics.ensure(own, SECONDS)
    yield own
    cancel(FlinkCluster(own))


def topics_named(prefix: str) -> Topics:
    return Topics(
        user_tags=Topic(name=f"{prefix}-tags", partitions=2),
        series=Topic(name=f"{prefix}-series", partitions=2),
        dead_letters=Topic(name=f"{prefix}-letters", partitions=1),
    )


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deploy")


class Sender:
    """Sends tags from a thread until it is stopped; `sent` counts those that the broker acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({**settings.kafka_client, "acks": "all", "enable.idempotence": True})
        self._topic = settings.topics.user_tags
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        traffic = Traffic(seed=3)
        number = 0
        while not self._stop.wait(PAUSE):
            tags = [traffic.tag(index) for index in range(number * BATCH, (number + 1) * BATCH)]
            self._producer.produce(
                self._topic.name,
                encode_lines(tags),
                partition=number % self._topic.partitions,
                timestamp=traffic.start_ms + number * BATCH,
                headers={names.INGESTED_HEADER: str(int(time.time() * 1000))},
                on_delivery=self._delivered,
            )
            self._producer.poll(0)
            number += 1
        assert self._producer.flush(SECONDS) == 0

    def _delivered(self, error: object, _: object) -> None:
        assert error is None
        self.sent += BATCH


def counted(settings: Settings) -> tuple[int, int, int]:
    """Events archived, events counted, and the price counted less the price archived."""
    topic_id = kafka_topics.topic_ids(settings)[settings.topics.user_tags.name]
    with store.connect(settings) as client:
        events, price = client.query(
            "SELECT count(), sum(price) FROM user_tags FINAL WHERE topic_id = {id:UUID}", {"id": topic_id}
        ).result_rows[0]
        total, value = client.query(
            "SELECT sum(count), sum(sum_price) FROM aggregates_1m FINAL WHERE topic_id = {id:UUID}", {"id": topic_id}
        ).result_rows[0]
    return events, total, value - price


def expect_counted(settings: Settings, sent: int) -> None:
    def arrived() -> bool | None:
        return counted(settings)[:2] == (sent, sent) or None

    try:
        until(arrived, SECONDS, "the count of what was sent")
    except FlinkError:
        assert counted(settings) == (sent, sent, 0)
    assert counted(settings) == (sent, sent, 0)


def other_code(folder: Path, **files: str) -> Path:
    """Our code with other files in `jobs/`, packed."""
    for room in package.FOLDERS:
        shutil.copytree(package.ROOT / room, folder / room)
    for name, text in files.items():
        (folder / "jobs" / f"{name}.py").write_text(text)
    return package.store(folder / "code", folder)


def command(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Exit status of `tidewatch …` with these settings, and what it said first, up to a comma."""
    config = handover.write(settings, settings.state_path / "command.yaml")
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "cli", "--config", str(config), *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).partition(",")[0]


def cancel(cluster: FlinkCluster) -> None:
    running = cluster.running(names.DATA_JOB)
    if running:
        cluster.cancel(running)


def test_deployments_lose_and_repeat_nothing(own: Settings, tmp_path: Path) -> None:
    cluster = FlinkCluster(own)
    told: list[str] = []
    with Sender(own) as sender:
        first = deploy(own, Options(), told.append)
        assert first == cluster.running(names.DATA_JOB)
        until(lambda: counted(own)[1] or None, SECONDS, "the first count")

        # The same again is no reason to stop what runs; a dry run stops nothing either.
        assert deploy(own, Options(), told.append) == first
        assert "--force" in told[-1]
        assert deploy(own, Options(force=True, dry_run=True), told.append) is None
        assert command(own, "deploy", "--force", "--dry-run") == (0, f"would stop data ({first}) with a savepoint")
        assert cluster.running(names.DATA_JOB) == first

        # Other code goes on from a savepoint.
        code = other_code(tmp_path / "second", another='"""A module more."""\n')
        second = deploy(own, Options(code=code), told.append)
        assert second == cluster.running(names.DATA_JOB) != first
        entry = cluster.ledger.of(names.DATA_JOB)[0]
        assert (entry.job_id, entry.code) == (second, code.stem)
        assert entry.restored is not None
        assert "/savepoint-" in entry.restored

        # Code that cannot be imported is refused while the other goes on.
        unimportable = other_code(tmp_path / "third", data="import nowhere_to_be_found\n")
        with pytest.raises(FlinkError, match="nowhere_to_be_found"):
            deploy(own, Options(code=unimportable), told.append)
        assert cluster.running(names.DATA_JOB) == second

        # Code that does not run gives way to the former.
        broken = other_code(
            tmp_path / "fourth", data='if __name__ == "__main__":\n    raise SystemExit("broken by intent")\n'
        )
        with pytest.raises(
            DeployError, match=r"broken by intent(.|\n)*former code .* runs again as \w+, restored from file:"
        ):
            deploy(own, Options(code=broken), told.append)
        third = cluster.running(names.DATA_JOB)
        assert third not in (None, first, second)
        assert cluster.ledger.of(names.DATA_JOB)[0].code == code.stem

        # Code that starts and then fails at its work does too.
        failing = other_code(tmp_path / "fifth", buffer=(package.ROOT / "jobs" / "buffer.py").read_text() + FAIL)
        with pytest.raises(DeployError, match=r"broken at work(.|\n)*former code .* runs again"):
            deploy(own, Options(code=failing), told.append)
        assert cluster.ledger.of(names.DATA_JOB)[0].code == code.stem

        # A job that fails at its work, and takes no savepoint, can be replaced.
        fourth = cluster.running(names.DATA_JOB)
        assert fourth is not None
        savepoint = cluster.stop_with_savepoint(fourth, SECONDS)
        kind, args = JOBS[names.DATA_JOB], cluster.ledger.of(names.DATA_JOB)[0].args
        fifth = cluster.submit(kind.name, kind.module, args, savepoint, code=failing, timeout=SECONDS)
        until(lambda: cluster.problem(fifth) or None, SECONDS, "a failure at work")
        assert deploy(own, Options(), told.append) == cluster.running(names.DATA_JOB) != fifth

        before = counted(own)[1]
        until(lambda: counted(own)[1] > before or None, SECONDS, "counts after all that")
    assert sender.sent > 0
    expect_counted(own, sender.sent)

    # The job is gone and its state with it: a start is refused, a rebuild changes no count.
    cancel(cluster)
    assert cluster.newest_restore_point(names.DATA_JOB) is not None
    (own.state_path / "flink" / "jobs.json").rename(own.state_path / "flink" / "jobs.kept.json")
    with pytest.raises(DeployError, match=r"refused(.|\n)*--from(.|\n)*--rebuild"):
        deploy(own, Options(), told.append)
    status, said = command(own, "deploy")
    assert (status, said.startswith("error: data counted before")) == (2, True)
    assert cluster.running(names.DATA_JOB) is None
    with Sender(own) as more:
        assert deploy(own, Options(rebuild=True), told.append)
    expect_counted(own, sender.sent + more.sent)

    # Its state is back, and the log was trimmed beyond it meanwhile.
    cancel(cluster)
    with Sender(own) as unread:
        until(lambda: unread.sent >= 200 or None, SECONDS, "more traffic")
    everything = [TopicPartition(own.topics.user_tags.name, partition, -1) for partition in range(2)]
    admin = AdminClient({**own.kafka_client})  # must outlive its futures
    for future in admin.delete_records(everything).values():
        future.result(SECONDS)
    with pytest.raises(DeployError, match=r"deployed-tags/0: tidewatch-\w+ read up to \d+, the log begins at \d+"):
        job_start.refuse_gaps(own, JOBS[names.DATA_JOB])
    with pytest.raises(DeployError, match="no longer holds"):
        deploy(own, Options(), told.append)
    assert cluster.running(names.DATA_JOB) is None


def test_a_job_that_never_came_to_a_checkpoint_starts_anew(own: Settings, tmp_path: Path) -> None:
    """There was no state yet that could be lost: what it wrote is written again under the same keys."""
    rare = own.flink.model_copy(update={"checkpoint_seconds": 3600.0})
    young = own.model_copy(update={"topics": topics_named("young"), "state_dir": tmp_path, "flink": rare})
    ids = kafka_topics.ensure(young, SECONDS)
    cluster, job = FlinkCluster(young), JOBS[names.DATA_JOB]
    topic_id = ids[young.topics.user_tags.name]
    assert job_start.choose(young, cluster, job, ids) == Start(None)
    cluster.submit(job.name, job.module, job_start.arguments(young, ids), timeout=SECONDS)
    with Sender(young):
        until(lambda: job_start.is_known(young, topic_id) or None, SECONDS, "the first block")
    cancel(cluster)
    assert job_start.choose(young, cluster, job, ids) == Start(None)
