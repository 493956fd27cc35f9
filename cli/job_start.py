"""From which state a job starts: these rules in one place, for `tidewatch deploy` and for what keeps jobs alive."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import sql
from contracts import names
from contracts.settings import Settings, Topic
from infra import log_start
from infra.flink_cluster import FlinkCluster
from stores import clickhouse

Mode = Literal["earliest", "blocks", "recent"]


class DeployError(Exception):
    """Nothing was started, or not what was asked for; the message says what runs now, and the choices."""


class Reading(NamedTuple):
    """A stream that a job reads, by its name in the settings' topics, and the pipelines whose consumer groups do."""

    stream: str
    pipelines: tuple[str, ...]

    def topic(self, settings: Settings) -> Topic:
        topic: Topic = getattr(settings.topics, self.stream)
        return topic


class JobKind(NamedTuple):
    """A Flink job of ours: its module, what it reads, the main stream first, and `rebuilds_from`: where it begins to
    read that without state."""

    name: str
    module: str
    readings: tuple[Reading, ...]
    rebuilds_from: Mode

    def topic(self, settings: Settings) -> Topic:
        """What it mainly reads."""
        return self.readings[0].topic(settings)


OF_USER_TAGS: Final = Reading("user_tags", names.DATA_PIPELINES)
OF_POINTS: Final = Reading("points", names.POINT_PIPELINES)
OF_SERIES: Final = Reading("series", names.DETECTION_PIPELINES)
DATA: Final = JobKind(names.DATA_JOB, "jobs.data", (OF_USER_TAGS, OF_POINTS), "blocks")
DETECTION: Final = JobKind(names.DETECTION_JOB, "jobs.detection", (OF_SERIES,), "earliest")
PATTERNS: Final = JobKind(
    names.PATTERNS_JOB,
    "jobs.patterns",
    (Reading("user_tags", names.TAG_PATTERN_PIPELINES), Reading("series", names.MINUTE_PATTERN_PIPELINES)),
    "recent",
)
JOBS: Final = {kind.name: kind for kind in (DATA, DETECTION, PATTERNS)}


@dataclass(frozen=True)
class Start:
    """From a restore point, or without state: where the topics' logs begin, or at the blocks listed in ClickHouse."""

    restore: str | None
    mode: Mode = "earliest"

    def __str__(self) -> str:
        return f"restored from {self.restore}" if self.restore else f"without state, reading from {WHERE[self.mode]}"


WHERE: Final = {
    "earliest": "the beginning of the log",
    "blocks": "the listed blocks",
    "recent": "a little before the newest record",
}


def wanted(settings: Settings) -> list[JobKind]:
    """The jobs that are to run, in the order in which they are submitted."""
    return [JOBS[name] for name in settings.flink.jobs]


def arguments(settings: Settings, job: JobKind, ids: dict[str, str], start: Start | None = None) -> list[str]:
    """Of the job's module; `ids` by name of topic."""
    mode = ["--start", start.mode] if start and start.restore is None else []
    read = [reading.topic(settings).name for reading in job.readings]
    return [*(word for topic in read for word in ("--topic-id", f"{topic}={ids[topic]}")), *mode]


def choose(
    settings: Settings, cluster: FlinkCluster, job: JobKind, ids: dict[str, str], broken: Collection[str] = ()
) -> Start:
    """For a job that does not run: its newest restore point, or none when there was no state yet that could be lost:
    nothing was counted, or the job ended before its first checkpoint; what it wrote is written again then.

    DeployError when its state was lost, or is all `broken` (paths), or the log no longer holds what comes after it.
    """
    main = job.readings[0]
    topic = main.topic(settings).name
    topic_id = ids[topic]
    points = [point for point in cluster.restore_points(job.name) if reads(cluster, point.job_id, topic_id)]
    if points:
        whole = [point.path for point in points if point.path not in broken]
        if not whole:
            raise DeployError(_broken(job, sorted(broken)))
        refuse_gaps(settings, job)
        return Start(whole[0])
    if is_known(settings, job, topic_id) and log_start.was_read(settings, topic, main.pipelines):
        raise DeployError(_lost(settings, job))
    return Start(None, "recent" if job.rebuilds_from == "recent" else "earliest")


def is_known(settings: Settings, job: JobKind, topic_id: str) -> bool:
    """Did the job leave results of this topic? By blocks in the tables, of a job that lists any."""
    if job.rebuilds_from != "blocks":
        return True
    with clickhouse.connect(settings) as tables:
        rows = tables.query(sql.read("queries/topic_is_known"), {"topic_id": topic_id}).result_rows
    return bool(rows[0][0])


def refuse_gaps(settings: Settings, job: JobKind) -> None:
    """DeployError when records that the job has not read were trimmed from the log."""
    gaps = [
        gap
        for reading in job.readings
        for gap in log_start.gaps(settings, reading.topic(settings).name, reading.pipelines)
    ]
    if gaps:
        lines = [
            f"  {gap.topic}/{gap.partition}: {gap.group} read up to {gap.committed}, the log begins at {gap.begin}"
            for gap in gaps
        ]
        raise DeployError("\n".join([f"the log no longer holds all that {job.name} has to read:", *lines, GAP_CHOICES]))


GAP_CHOICES: Final = """A restore would skip it without a word, and is refused. Choose:
  --rebuild     start from what is still there; of `data`, `tidewatch audit` shows what is missing"""


def reads(cluster: FlinkCluster, job_id: str, topic_id: str) -> bool:
    """False for a job of a topic that was deleted since: its offsets mean nothing in the one that has its name now."""
    entry = cluster.submission(job_id)
    named = [argument for argument in entry.args if "=" in argument] if entry else []
    return not named or any(argument.endswith(f"={topic_id}") for argument in named)


def _broken(job: JobKind, paths: list[str]) -> str:
    listed = "\n".join(f"  {path}" for path in paths)
    return (
        f"none of the restore points of {job.name} can be restored:\n{listed}\n"
        f"Choose `tidewatch deploy --job {job.name} --from PATH` with a copy of one, or `tidewatch deploy --job "
        f"{job.name} --rebuild`"
    )


def _lost(settings: Settings, job: JobKind) -> str:
    return (
        f"{job.name} counted before, and no restore point of it is known in {settings.state_path / 'flink'}: a start "
        f"without state is refused. Choose, with `tidewatch deploy --job {job.name}`:\n"
        "  --from PATH   a savepoint or checkpoint that you know of\n"
        f"  --rebuild     start from {WHERE[job.rebuilds_from]}: rows are written again under the same keys, so\n"
        "                nothing is counted twice"
    )
