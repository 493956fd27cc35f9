"""From which state a job starts: these rules in one place, for `tidewatch deploy` and for what keeps jobs alive."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import sql
from contracts import names
from contracts.settings import Settings
from infra import log_start
from infra.flink_cluster import FlinkCluster
from stores import clickhouse

Mode = Literal["earliest", "blocks"]


class DeployError(Exception):
    """Nothing was started, or not what was asked for; the message says what runs now, and the choices."""


class JobKind(NamedTuple):
    """A Flink job of ours: its module, and the pipelines whose consumer groups read for it."""

    name: str
    module: str
    pipelines: tuple[str, ...]


JOBS: Final = {kind.name: kind for kind in [JobKind(names.DATA_JOB, "jobs.data", names.DATA_PIPELINES)]}


@dataclass(frozen=True)
class Start:
    """From a restore point, or without state: where the topics' logs begin, or at the blocks listed in ClickHouse."""

    restore: str | None
    mode: Mode = "earliest"

    def __str__(self) -> str:
        return f"restored from {self.restore}" if self.restore else f"without state, reading from {WHERE[self.mode]}"


WHERE: Final = {"earliest": "the beginning of the log", "blocks": "the listed blocks"}


def arguments(settings: Settings, ids: dict[str, str], start: Start | None = None) -> list[str]:
    """Of the job's module; `ids` by name of topic."""
    mode = ["--start", start.mode] if start and start.restore is None else []
    read = (settings.topics.user_tags.name, settings.topics.points.name)
    return [*(word for topic in read for word in ("--topic-id", f"{topic}={ids[topic]}")), *mode]


def choose(
    settings: Settings, cluster: FlinkCluster, job: JobKind, ids: dict[str, str], broken: Collection[str] = ()
) -> Start:
    """For a job that does not run: its newest restore point, or none when there was no state yet that could be lost:
    nothing was counted, or the job ended before its first checkpoint; what it wrote is written again then.

    DeployError when its state was lost, or is all `broken` (paths), or the log no longer holds what comes after it.
    """
    topic_id = ids[settings.topics.user_tags.name]
    points = [point for point in cluster.restore_points(job.name) if reads(cluster, point.job_id, topic_id)]
    if points:
        whole = [point.path for point in points if point.path not in broken]
        if not whole:
            raise DeployError(_broken(job, sorted(broken)))
        refuse_gaps(settings, job)
        return Start(whole[0])
    if is_known(settings, topic_id) and log_start.was_read(settings, settings.topics.user_tags.name, job.pipelines):
        raise DeployError(_lost(settings, job))
    return Start(None)


def is_known(settings: Settings, topic_id: str) -> bool:
    """Do the tables hold blocks of this topic?"""
    with clickhouse.connect(settings) as tables:
        rows = tables.query(sql.read("queries/topic_is_known"), {"topic_id": topic_id}).result_rows
    return bool(rows[0][0])


def refuse_gaps(settings: Settings, job: JobKind) -> None:
    """DeployError when records that the job has not read were trimmed from the log."""
    gaps = log_start.gaps(settings, settings.topics.user_tags.name, job.pipelines)
    gaps += log_start.gaps(settings, settings.topics.points.name, names.POINT_PIPELINES)
    if gaps:
        lines = [
            f"  {gap.topic}/{gap.partition}: {gap.group} read up to {gap.committed}, the log begins at {gap.begin}"
            for gap in gaps
        ]
        raise DeployError("\n".join([f"the log no longer holds all that {job.name} has to read:", *lines, GAP_CHOICES]))


GAP_CHOICES: Final = """A restore would skip it without a word, and is refused. Choose:
  --rebuild     start from the listed blocks that are still there; `tidewatch audit` shows what is missing"""


def reads(cluster: FlinkCluster, job_id: str, topic_id: str) -> bool:
    """False for a job of a topic that was deleted since: its offsets mean nothing in the one that has its name now."""
    entry = cluster.submission(job_id)
    named = [argument for argument in entry.args if "=" in argument] if entry else []
    return not named or any(argument.endswith(f"={topic_id}") for argument in named)


def _broken(job: JobKind, paths: list[str]) -> str:
    listed = "\n".join(f"  {path}" for path in paths)
    return (
        f"none of the restore points of {job.name} can be restored:\n{listed}\n"
        "Choose `tidewatch deploy --from PATH` with a copy of one, or `tidewatch deploy --rebuild`"
    )


def _lost(settings: Settings, job: JobKind) -> str:
    return (
        f"{job.name} counted before, and no restore point of it is known in {settings.state_path / 'flink'}: a start "
        "without state is refused. Choose:\n"
        "  --from PATH   a savepoint or checkpoint that you know of\n"
        "  --rebuild     start from the blocks listed in ClickHouse: rows are written again under the same keys, so\n"
        "                nothing is counted twice"
    )
