"""What was submitted: a small JSON file that knows a job's name after the cluster has forgotten it.

Restore points on disk carry job ids only. The file is replaced as a whole (written beside, then renamed), so a reader
never sees half of it; processes that write hold `infra.flink_cluster.deploy_lock`, or lose at most what the other one
added. Threads may share a `Ledger`.
"""

import json
import threading
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from infra import state_file

_ADVICE: Final = """{path} is broken ({why}): it says which job each checkpoint is of. Put a copy back, or move it away
and start the job from the newest checkpoint below flink/checkpoints: tidewatch deploy --from PATH"""


class LedgerBroken(Exception):
    """The file holds something else; the message says what to do."""


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
    """All submissions in `path`, in the order in which they were made, whatever the clock said; an absent file is an
    empty ledger."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()

    def all(self) -> list[Submission]:
        """LedgerBroken when the file cannot be read: as empty it would mean that nothing ever ran."""
        try:
            return _SUBMISSIONS.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except ValidationError as error:
            raise LedgerBroken(_ADVICE.format(path=self._path, why=error.errors()[0]["msg"])) from None

    def of(self, name: str) -> list[Submission]:
        """Those of the job `name`, newest first."""
        return [entry for entry in reversed(self.all()) if entry.name == name]

    def put(self, entry: Submission) -> None:
        """Adds the submission, or replaces the one of the same job id."""
        with self._writing:
            entries = {other.job_id: other for other in self.all()}
            entries[entry.job_id] = entry  # a dictionary keeps the place of what it replaces
            self._write([*entries.values()])

    def remove(self, job_ids: set[str]) -> None:
        with self._writing:
            self._write([entry for entry in self.all() if entry.job_id not in job_ids])

    def _write(self, entries: list[Submission]) -> None:
        state_file.replace(self._path, json.dumps([entry.model_dump() for entry in entries], indent=1))
