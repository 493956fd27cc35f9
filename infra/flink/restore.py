"""Restore points: completed retained checkpoints and savepoints, found on disk or asked of the cluster."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from contracts.settings import Settings
from infra.flink.ledger import Ledger, Submission
from infra.flink.rest import NotFound, Rest

KEPT_WITH_STATE: Final = 3  # submissions of a job whose restore points stay on disk


class RestorePoint(NamedTuple):
    """`path` is what `flink run -s` takes; `at` epoch seconds when it was completed; `job_id` whose state it is."""

    path: str
    at: float
    job_id: str


class RestorePoints:
    """Where jobs can be resumed. Flink names the folders, and by job ids only; names come from the ledger:
    `<checkpoint_dir>/<job id>/chk-<n>` and `<savepoint_dir>/savepoint-<first 6 of job id>-<random>`.
    """

    def __init__(self, settings: Settings, ledger: Ledger, rest: Rest) -> None:
        self._ledger, self._rest = ledger, rest
        self._checkpoints = local_folder(settings.checkpoint_dir)
        self._savepoints = local_folder(settings.savepoint_dir)

    def of(self, name: str) -> list[RestorePoint]:
        """All of the job of that name, newest first: of a later submission before those of a former one."""
        return [point for entry in self._ledger.of(name) for point in self.of_submission(entry)]

    def of_submission(self, entry: Submission) -> list[RestorePoint]:
        """Newest first. What this machine cannot list is known from the cluster while that remembers the job,
        and from the ledger, which holds the savepoint it was stopped with."""
        if self._checkpoints is None or self._savepoints is None:
            noted = [RestorePoint(*entry.savepoint, entry.job_id)] if entry.savepoint else []
            return _sorted([*self._asked(entry.job_id), *noted])
        savepoints = self._savepoints.glob(f"savepoint-{entry.job_id[:6]}-*/_metadata")
        checkpoints = self._checkpoints.glob(f"{entry.job_id}/chk-*/_metadata")  # only a completed one has this file
        times = [*map(_modified, savepoints), *_in_order(checkpoints)]
        return _sorted([RestorePoint(file.parent.as_uri(), at, entry.job_id) for file, at in times])

    def prune(self, name: str) -> list[str]:
        """Forgets all but the newest submissions that left restore points, with their files; returns the job ids.

        Flink never removes what an ended job retained. Nothing is done about folders this machine cannot reach.
        """
        if self._checkpoints is None or self._savepoints is None:
            return []
        submissions = self._ledger.of(name)
        with_state = [number for number, entry in enumerate(submissions) if self.of_submission(entry)]
        if len(with_state) <= KEPT_WITH_STATE:
            return []
        return self._forget([entry.job_id for entry in submissions[with_state[KEPT_WITH_STATE - 1] + 1 :]])

    def give_up(self, name: str, before: float) -> list[str]:
        """Forgets the submissions whose restore points are all older than `before` (epoch seconds), with their files,
        but never the newest that has any; returns the job ids."""
        if self._checkpoints is None or self._savepoints is None:
            return []
        newest = {entry.job_id: self.of_submission(entry)[:1] for entry in self._ledger.of(name)}
        with_state = [job_id for job_id, points in newest.items() if points]
        return self._forget([job_id for job_id in with_state[1:] if newest[job_id][0].at < before])

    def _forget(self, job_ids: list[str]) -> list[str]:
        if self._checkpoints is None or self._savepoints is None:
            return []
        for job_id in job_ids:
            for folder in [self._checkpoints / job_id, *self._savepoints.glob(f"savepoint-{job_id[:6]}-*")]:
                shutil.rmtree(folder, ignore_errors=True)
        if job_ids:
            self._ledger.remove(set(job_ids))
        return job_ids

    def _asked(self, job_id: str) -> list[RestorePoint]:
        try:
            latest = self._rest.get(f"/jobs/{job_id}/checkpoints").get("latest") or {}
        except NotFound:
            return []
        known = [latest.get("completed"), latest.get("savepoint")]
        return [RestorePoint(one["external_path"], one["latest_ack_timestamp"] / 1000, job_id) for one in known if one]


def local_folder(uri: str) -> Path | None:
    """The folder that a `file:` address or a plain path names; None when it lies elsewhere (s3://…)."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path))


def _sorted(points: list[RestorePoint]) -> list[RestorePoint]:
    """Newest first; of those of one time the last."""
    return sorted((point for point in points if point.at > 0), key=lambda point: point.at)[::-1]


def _in_order(checkpoints: Iterable[Path]) -> Iterator[tuple[Path, float]]:
    """With the times of checkpoints, none before that of an earlier one: the clock may have been put back meanwhile."""
    latest = 0.0
    for file, at in map(_modified, sorted(checkpoints, key=lambda file: int(file.parent.name.removeprefix("chk-")))):
        latest = max(latest, at)
        yield file, latest if at else at


def _modified(file: Path) -> tuple[Path, float]:
    """0 when Flink removed the checkpoint since it was listed."""
    try:
        return file, file.stat().st_mtime
    except FileNotFoundError:
        return file, 0.0
