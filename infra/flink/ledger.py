"""What was submitted: a small JSON file that knows a job's name after the cluster has forgotten it.

Restore points on disk carry job ids only. The file is replaced as a whole (written beside, then renamed), so a reader
never sees half of it; writers hold `infra.flink_cluster.deploy_lock`, or lose at most what the other one added.
"""

import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter


class Submission(BaseModel):
    """`at` is epoch seconds; `code` the zip's name; `restored` what it was started from, None for nothing.

    `fingerprint` is of the settings it was submitted with. Both are empty when only the cluster knew.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    name: str
    at: float
    module: str = ""
    args: list[str] = []
    code: str = ""
    fingerprint: str = ""
    restored: str | None = None
    savepoint: tuple[str, float] | None = None  # path, and when it was completed, of the one it was stopped with


_SUBMISSIONS = TypeAdapter(list[Submission])


class Ledger:
    """All submissions, oldest first, in `path`; an absent file is an empty ledger."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Submission]:
        try:
            return _SUBMISSIONS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return []

    def of(self, name: str) -> list[Submission]:
        """Those of the job `name`, newest first."""
        return sorted((entry for entry in self.all() if entry.name == name), key=lambda entry: entry.at, reverse=True)

    def put(self, entry: Submission) -> None:
        """Adds the submission, or replaces the one of the same job id."""
        self._write([*(other for other in self.all() if other.job_id != entry.job_id), entry])

    def remove(self, job_ids: set[str]) -> None:
        self._write([entry for entry in self.all() if entry.job_id not in job_ids])

    def _write(self, entries: list[Submission]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(f".{os.getpid()}.new")
        beside.write_text(json.dumps([entry.model_dump() for entry in entries], indent=1))
        beside.replace(self._path)
