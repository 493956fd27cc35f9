"""`tidewatch deploy` on real parts: code is replaced while traffic goes on, and what was counted is what was sent.

One test tells one story, in order, because each start of the job takes many seconds.
"""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cli import job_start
from cli.deploy import Options, deploy
from cli.job_start import JOBS, DeployError
from contracts import names
from contracts.codec import encode_lines
from contracts.settings import Settings, Topic, Topics
from infra import package
from infra import topics as kafka_topics
from infra.flink.rest import FlinkError, until
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as store
from testbed.generator import Traffic
from tests.conftest import RealPart

TOPICS = Topics(
    user_tags=Topic(name="deployed-tags", partitions=2),
    series=Topic(name="deployed-series", partitions=2),
    dead_letters=Topic(name="deployed-letters", partitions=1),
)
SECONDS = 120.0
BATCH = 20  # tags a record
PAUSE = 0.05  # seconds between records: 400 tags a second


@pytest.fixture(scope="module")
def own(
    settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, module_folder: Path
) -> Iterator[Settings]:
    """Topics and a state folder of these tests' own; the job is gone afterwards."""
    own = settings.model_copy(update={"topics": TOPICS, "state_dir": module_folder})
    kafka_topics.ensure(own, SECONDS)
    yield own
    cancel(FlinkCluster(own))


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deploy")


class Sender:
    """Sends tags from a thread until it is stopped; `sent` counts those that the broker acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({**settings.kafka_client, "acks": "all", "enable.idempotence": True})
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
                TOPICS.user_tags.name,
                encode_lines(tags),
                partition=number % TOPICS.user_tags.partitions,
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
    topic_id = kafka_topics.topic_ids(settings)[TOPICS.user_tags.name]
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
        with pytest.raises(DeployError, match=r"broken by intent(.|\n)*former code .* runs again as \w+, from file:"):
            deploy(own, Options(code=broken), told.append)
        third = cluster.running(names.DATA_JOB)
        assert third not in (None, first, second)
        assert cluster.ledger.of(names.DATA_JOB)[0].code == code.stem

        before = counted(own)[1]
        until(lambda: counted(own)[1] > before or None, SECONDS, "counts after the return of the former code")
    assert sender.sent > 0
    expect_counted(own, sender.sent)

    # The job is gone and its state with it: a start is refused, a rebuild changes no count.
    cancel(cluster)
    assert cluster.newest_restore_point(names.DATA_JOB) is not None
    (own.state_path / "flink" / "jobs.json").rename(own.state_path / "flink" / "jobs.kept.json")
    with pytest.raises(DeployError, match=r"refused(.|\n)*--from(.|\n)*--rebuild"):
        deploy(own, Options(), told.append)
    assert cluster.running(names.DATA_JOB) is None
    with Sender(own) as more:
        assert deploy(own, Options(rebuild=True), told.append)
    expect_counted(own, sender.sent + more.sent)

    # Its state is back, and the log was trimmed beyond it meanwhile.
    cancel(cluster)
    with Sender(own) as unread:
        until(lambda: unread.sent >= 200 or None, SECONDS, "more traffic")
    everything = [TopicPartition(TOPICS.user_tags.name, partition, -1) for partition in range(2)]
    admin = AdminClient({**own.kafka_client})  # must outlive its futures
    for future in admin.delete_records(everything).values():
        future.result(SECONDS)
    with pytest.raises(DeployError, match=r"deployed-tags/0: tidewatch-\w+ read up to \d+, the log begins at \d+"):
        job_start.refuse_gaps(own, JOBS[names.DATA_JOB])
    with pytest.raises(DeployError, match="no longer holds"):
        deploy(own, Options(), told.append)
    assert cluster.running(names.DATA_JOB) is None
