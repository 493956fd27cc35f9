"""What the tests of deployments share: traffic, what was counted of it, and code that is other than ours."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from confluent_kafka import Producer

from cli import job_start
from cli.job_start import JobKind
from contracts import names
from contracts.codec import encode_lines
from contracts.settings import Settings, Topic, Topics
from infra import package
from infra import topics as kafka_topics
from infra.flink import handover
from infra.flink.rest import FlinkError, Rest, until
from infra.flink_cluster import FlinkCluster
from stores import clickhouse as store
from testbed.generator import Traffic

SECONDS = 240.0  # a machine under load takes a minute for one start
FAIL = """

def _fail(self, ctx):
    raise RuntimeError("broken at work")

PartitionBuffer.flush_now = _fail
"""
ALL_OF_TAGS = f"PIPELINES = ({', '.join(names.DATA_PIPELINES)})"
OF_POINTS = "    metrics.build(env, settings, points)\n"
ALL = (*names.DATA_PIPELINES, *names.POINT_PIPELINES)
BATCH = 20  # tags a record
LOOK = 0.5  # seconds between counts: each takes ClickHouse and us a good part of 0.1 s
PAUSE = 0.05  # seconds between records: 400 tags a second


def topics_named(prefix: str) -> Topics:
    return Topics(
        user_tags=Topic(name=f"{prefix}-tags", partitions=2),
        series=Topic(name=f"{prefix}-series", partitions=2),
        dead_letters=Topic(name=f"{prefix}-letters", partitions=1),
    )


def quick(settings: Settings) -> Settings:
    """With one worker a job, as each takes seconds to start, and clocks for tests that wait for what they bring."""
    flink = settings.flink.model_copy(update={"parallelism": 1, "checkpoint_seconds": 1.0})
    jobs = settings.jobs.model_copy(update={"aggregates_seconds": 1.0})
    return settings.model_copy(update={"flink": flink, "jobs": jobs})


class Sender:
    """Sends tags from a thread within each `with`; `sent` counts all that the broker acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({**settings.kafka_client, "acks": "all", "enable.idempotence": True})
        self._topic = settings.topics.user_tags
        self._number = 0
        self.sent = 0

    def __enter__(self) -> "Sender":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        traffic = Traffic(seed=3)
        while not self._stop.wait(PAUSE):
            number = self._number
            tags = [traffic.tag(index) for index in range(number * BATCH, (number + 1) * BATCH)]
            self._producer.produce(
                self._topic.name,
                encode_lines(tags),
                partition=number % self._topic.partitions,
                headers={names.EVENT_TIME_HEADER: str(traffic.start_ms + number * BATCH)},
                on_delivery=self._delivered,
            )
            self._producer.poll(0)
            self._number += 1
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
        until(arrived, SECONDS, "the count of what was sent", every=LOOK)
    except FlinkError:
        assert counted(settings) == (sent, sent, 0)
    assert counted(settings) == (sent, sent, 0)


def other_code(folder: Path, pipelines: Collection[str] = ALL, **files: str) -> Path:
    """Our code with these pipelines alone in the job `data` and other files in `jobs/`, packed.

    A test that looks at one pipeline takes it alone: each costs seconds of every start, and every checkpoint's.
    """
    for room in package.FOLDERS:
        shutil.copytree(package.ROOT / room, folder / room)
    for name, text in {"data": _data(pipelines), **files}.items():
        (folder / "jobs" / f"{name}.py").write_text(text)
    return package.store(folder / "code", folder)


def _data(pipelines: Collection[str]) -> str:
    text = (package.ROOT / "jobs" / "data.py").read_text()
    assert (text.count(ALL_OF_TAGS), text.count(OF_POINTS)) == (1, 1), "jobs/data.py names its pipelines otherwise"
    of_tags = ", ".join(name for name in names.DATA_PIPELINES if name in pipelines)
    text = text.replace(ALL_OF_TAGS, f"PIPELINES = ({of_tags},)" if of_tags else "PIPELINES = ()")
    return text if set(names.POINT_PIPELINES) & set(pipelines) else text.replace(OF_POINTS, "")


def failing_code(folder: Path) -> Path:
    """Imports and starts, and fails at its work."""
    return other_code(folder, buffer=(package.ROOT / "jobs" / "buffer.py").read_text() + FAIL)


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
        cluster.cancel(running, SECONDS)


def submit(settings: Settings, kind: JobKind, name: str, code: Path, savepoint: str | None = None) -> str:
    """The job under a name of the test's own, from the beginning of its topics or a savepoint; does not wait."""
    words = job_start.arguments(settings, kind, kafka_topics.topic_ids(settings))
    return FlinkCluster(settings).submit(name, kind.module, words, savepoint, code=code, timeout=SECONDS)


def parallelism(settings: Settings, job_id: str) -> int:
    """Of the job's widest operators, as Flink runs them."""
    vertices = Rest(settings.flink_host, settings.flink.port).get(f"/jobs/{job_id}")["vertices"]
    return max(int(vertex["parallelism"]) for vertex in vertices)
