"""Kafka, ClickHouse and Flink as `tidewatch up` runs them, for one benchmark: no API, and only the job under test."""

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil

from benchmarks.rig import rivals
from benchmarks.rig.topic import Stream
from contracts.settings import Settings, Topic
from contracts.settings_source import load
from infra import package, topics
from infra.embedded.child import Child
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.flink import JobManager, TaskManager
from infra.embedded.kafka import Kafka
from infra.flink_cluster import FlinkCluster
from stores import migrations

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
PYTHON_WORKERS: Final = "flink-python"


@dataclass(frozen=True)
class Stack:
    """The parts that run, and the ids of the topics by name."""

    settings: Settings
    children: list[Child]
    topics: dict[str, str]

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU so far, by part; Flink's Python workers are a part of their own."""
        used: dict[str, float] = {}
        for child in self.children:
            for process in [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    label = (
                        PYTHON_WORKERS if process.pid != child.pid and "python" in process.name() else child.part.name
                    )
                    times = process.cpu_times()
                    used[label] = used.get(label, 0.0) + times.user + times.system
        return used

    @contextmanager
    def job(self, name: str, module: str, args: Sequence[str] = ()) -> Iterator[FlinkCluster]:
        """Runs a job: one of ours, by the name of its pipeline, or a rival's."""
        self._revive()
        cluster = FlinkCluster(self.settings)
        cluster.submit(name, module, args, code=self._code(), timeout=START_SECONDS)
        yield cluster
        running = cluster.running(name)
        if running:
            cluster.cancel(running)

    def _revive(self) -> None:
        """Starts again what has died: a TaskManager ends itself when a job is cancelled while Beam's account of bundles
        ("Reference count must not be negative") is wrong, which happens with Flink 2.2."""
        for place, child in enumerate(self.children):
            if child.exit_code() is not None:
                self.children[place] = Child(child.part)
                self.children[place].wait_ready(START_SECONDS)

    def topic_argument(self, stream: Literal[Stream, "series"] = "user_tags") -> list[str]:
        """How our jobs are told which topic they read."""
        topic: Topic = getattr(self.settings.topics, stream)
        return ["--topic-id", f"{topic.name}={self.topics[topic.name]}"]

    def _code(self) -> Path:
        """What is shipped to Flink: our own code, and the rivals'."""
        path = package.store(self.settings.state_path / "code")
        with zipfile.ZipFile(path, "a") as archive:
            for file in Path(rivals.__file__).parent.glob("*.py"):
                name = f"rivals/{file.name}"
                if name not in archive.namelist():
                    archive.write(file, name)
        return path


@contextmanager
def running(name: str, partitions: int | None = None) -> Iterator[Stack]:
    """A stack on var/bench/NAME, wiped first, with the settings' ports; stopped in the end. `partitions` of the topic
    for tags, when not those of the settings. With the JVM's optimising compiler, without which Flink SQL, the rival,
    would be handicapped."""
    settings = load()
    flink = settings.flink.model_copy(update={"optimise": True})
    settings = settings.model_copy(update={"state_dir": Path("var/bench") / name, "flink": flink})
    if partitions:
        tags = settings.topics.user_tags.model_copy(update={"partitions": partitions})
        settings = settings.model_copy(update={"topics": settings.topics.model_copy(update={"user_tags": tags})})
    shutil.rmtree(settings.state_path, ignore_errors=True)
    children: list[Child] = []
    try:
        for part in (Kafka(settings), ClickHouse(settings), JobManager(settings), TaskManager(settings)):
            children.append(Child(part))
        for child in children:
            child.wait_ready(START_SECONDS)
        migrations.apply(settings)
        yield Stack(settings, children, topics.ensure(settings, START_SECONDS))
    finally:
        for child in reversed(children):
            child.stop(STOP_SECONDS)
