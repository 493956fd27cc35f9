"""What a job's restore points have read of the log, and whether the log still holds the rest.

Whoever calls these holds `infra.flink_cluster.deploy_lock`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from cli.job_start import GAP_CHOICES, DeployError, JobKind, Reading, Start, reads
from contracts.settings import Settings
from infra import log_holds, log_start, topics
from infra.flink.restore import local_folder
from infra.flink_cluster import FlinkCluster
from infra.log_holds import Holds
from jobs.starts import STARTS_BY_BLOCKS

UNKNOWN_CHOICES: Final = """A restore skips without a word what is no longer there. Choose:
  --force       restore it all the same; `tidewatch audit` shows what is missing
  --rebuild     start without state"""


def look(settings: Settings, cluster: FlinkCluster, job: JobKind, reading: Reading, topic_id: str) -> Holds:
    """What is known now of one stream, and remembered for the next look."""
    path = settings.state_path / "flink" / f"log-{job.name}-{reading.stream}.json"
    # First: see log_holds.look.
    committed = log_start.committed(settings, reading.topic(settings).name, reading.pipelines)
    points = [point.path for point in cluster.restore_points(job.name) if reads(cluster, point.job_id, topic_id)]
    holds = log_holds.look(log_holds.load(path), topic_id, committed, points)
    log_holds.save(path, holds)
    return holds


def require_log(settings: Settings, cluster: FlinkCluster, job: JobKind, restore: str, *, force: bool) -> None:
    """DeployError when there is no `restore`, when it is of another topic, when the log lacks what comes after it, or,
    without `force`, when nobody knows whether it does."""
    folder = local_folder(restore) if "flink" in settings.embedded else None
    if folder is not None and not (folder / "_metadata").is_file():
        raise DeployError(f"{restore} is no savepoint or checkpoint: there is no {folder / '_metadata'}")
    ids = topics.topic_ids(settings)
    topic = job.topic(settings).name
    for point in cluster.restore_points(job.name):
        if is_same(point.path, restore) and not reads(cluster, point.job_id, ids[topic]):
            raise DeployError(f"{restore} is of a topic {topic} that was deleted: its offsets mean nothing in today's")
    for reading in job.readings:
        holds = look(settings, cluster, job, reading, ids[reading.topic(settings).name])
        _require(settings, reading.topic(settings).name, _read_by(holds, restore), restore, force=force)


def _require(settings: Settings, topic: str, read: dict[int, int], restore: str, *, force: bool) -> None:
    """`read`: up to where the restore point had read the topic at least, by partition."""
    begins = {partition: begin for partition, (begin, _) in log_start.bounds(settings, topic).items()}
    gone = [place for place, begin in begins.items() if begin > read.get(place, begin)]
    if gone:
        lines = [f"  {topic}/{place}: read up to {read[place]}, the log begins at {begins[place]}" for place in gone]
        raise DeployError("\n".join([f"the log no longer holds all that comes after {restore}:", *lines, GAP_CHOICES]))
    unknown = [f"{topic}/{place}" for place, begin in begins.items() if begin > 0 and place not in read]
    if unknown and not force:
        what = f"the log was trimmed, and how far {restore} had read of {', '.join(unknown)} is not known."
        raise DeployError(f"{what}\n{UNKNOWN_CHOICES}")


def rewind(settings: Settings, cluster: FlinkCluster, job: JobKind, ids: Mapping[str, str], start: Start) -> None:
    """Puts the consumer groups back to where the job is about to start, so that they speak of it and not of the former;
    to where the log begins, if that is not known. The job must not run. `ids` by name of topic."""
    for reading in job.readings:
        topic = reading.topic(settings).name
        offsets = {partition: begin for partition, (begin, _) in log_start.bounds(settings, topic).items()}
        if start.restore:
            offsets |= _read_by(look(settings, cluster, job, reading, ids[topic]), start.restore)
        elif start.mode == "blocks":
            offsets |= STARTS_BY_BLOCKS[reading.stream](settings, UUID(ids[topic]))
        log_start.rewind(settings, topic, reading.pipelines, offsets)


def is_same(one: str, other: str) -> bool:
    """Whether two addresses of restore points name the same folder: `file:///a` and `/a` do."""
    folders: list[Path | None] = [local_folder(one), local_folder(other)]
    return one == other if None in folders else folders[0] == folders[1]


def _read_by(holds: Holds, restore: str) -> dict[int, int]:
    """By partition, how much the restore point had read at least; empty when that is not known."""
    return next((offsets for path, offsets in holds.points.items() if is_same(path, restore)), {})
