"""A Flink cluster, embedded or outside: what runs on it, stopping with a savepoint, submitting from a restore point."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from contracts.settings import Settings
from infra import package
from infra.flink import client, handover
from infra.flink.ledger import Ledger, Submission
from infra.flink.lock import DeployBusy, deploy_lock
from infra.flink.rest import FlinkError, NotFound, Rest, RestoreFailed, Unreachable, cause, until
from infra.flink.restore import RestorePoint, RestorePoints

__all__ = [
    "DeployBusy",
    "FlinkCluster",
    "FlinkError",
    "JobMetrics",
    "NotFound",
    "RestoreFailed",
    "Unreachable",
    "deploy_lock",
]

ENDED: Final = frozenset({"FINISHED", "CANCELED", "FAILED", "SUSPENDED"})
HOPELESS_RESTARTS: Final = 3  # before it is healthy: a fault of the job, not of a moment
HEALTHY_CHECKPOINTS: Final = 2


class JobMetrics(NamedTuple):
    """Of one job: restarts since its submission; of its last checkpoint age (s), size (bytes), duration (s).

    The last three are None before the first checkpoint. `checkpoints` and `failed` are counts since the submission.
    """

    state: str
    restarts: int
    checkpoints: int
    failed: int
    checkpoint_age: float | None
    checkpoint_bytes: int | None
    checkpoint_seconds: float | None


class FlinkCluster:
    """The cluster of `settings.flink`; every method may raise FlinkError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rest = Rest(settings.flink_host, settings.flink.port)
        self._folder = settings.state_path / "flink"
        self.ledger = Ledger(self._folder / "jobs.json")
        self._restore = RestorePoints(settings, self.ledger, self._rest)

    # What runs.

    def overview(self) -> dict[str, Any]:
        """Flink's own: `taskmanagers`, `slots-total`, `slots-available`, `jobs-running`, `flink-version`, …"""
        answer: dict[str, Any] = self._rest.get("/overview")
        return answer

    def running(self, name: str) -> str | None:
        """The id of the job of that name that has not ended (it may be restarting); the newest, were there several."""
        jobs = [
            job for job in self._rest.get("/jobs/overview")["jobs"] if job["name"] == name and job["state"] not in ENDED
        ]
        if not jobs:
            return None
        newest = max(jobs, key=lambda job: job["start-time"])
        job_id: str = newest["jid"]
        if self.submission(job_id) is None:  # whoever submitted it died before noting it
            self.ledger.put(Submission(job_id=job_id, name=name, at=newest["start-time"] / 1000))
        return job_id

    def submission(self, job_id: str) -> Submission | None:
        """What is noted of the job; None when it was not submitted from this state folder."""
        return next((entry for entry in self.ledger.all() if entry.job_id == job_id), None)

    def state(self, job_id: str) -> str:
        """RUNNING, RESTARTING, FINISHED, …; NotFound when the cluster does not know the job."""
        state: str = self._rest.get(f"/jobs/{job_id}")["state"]
        return state

    def metrics(self, job_id: str, now: float) -> JobMetrics:
        """`now` is epoch seconds."""
        counts = self._rest.get(f"/jobs/{job_id}/checkpoints")
        last = (counts.get("latest") or {}).get("completed")
        return JobMetrics(
            state=self.state(job_id),
            restarts=self._restarts(job_id),
            checkpoints=counts["counts"]["completed"],
            failed=counts["counts"]["failed"],
            checkpoint_age=now - last["latest_ack_timestamp"] / 1000 if last else None,
            checkpoint_bytes=last["state_size"] if last else None,
            checkpoint_seconds=last["end_to_end_duration"] / 1000 if last else None,
        )

    def problem(self, job_id: str) -> str:
        """Why the job failed, in a line or two; empty when it did not. What Python code raised goes before the newest
        failure, which may be of a worker that was interrupted while it started."""
        failures = self._failures(job_id)
        traces = [one["stacktrace"] for top in failures for one in [top, *top.get("concurrentExceptions", [])]]
        raised = [trace for trace in traces if "Error received from SDK harness" in trace]
        return cause([*raised, *traces][0]) if traces else ""

    def checkpoints_since_failure(self, job_id: str) -> int:
        """How many checkpoints in a row the job completed since it failed last, or since it began; at most the ten that
        Flink remembers. 0 is a job that does not get anywhere."""
        failures = self._failures(job_id)
        failed = failures[0]["timestamp"] if failures else 0
        history = self._rest.get(f"/jobs/{job_id}/checkpoints")["history"]
        return sum(one["status"] == "COMPLETED" and one["trigger_timestamp"] > failed for one in history)

    def _failures(self, job_id: str) -> list[dict[str, Any]]:
        """Newest first."""
        failures: list[dict[str, Any]] = self._rest.get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return failures

    # Stopping.

    def stop_with_savepoint(self, job_id: str, timeout: float) -> str:
        """Stops the job once a savepoint holds all it did, and returns the savepoint's path; the job has ended then."""
        body = {"targetDirectory": self._settings.savepoint_dir, "drain": False}
        trigger = self._rest.post(f"/jobs/{job_id}/stop", body)["request-id"]
        path = until(lambda: self._savepoint(job_id, trigger), timeout, f"the savepoint of job {job_id}")
        entry = self.submission(job_id)
        if entry is not None:
            self.ledger.put(entry.model_copy(update={"savepoint": (path, time.time())}))
        self.wait_ended(job_id, timeout)
        return path

    def cancel(self, job_id: str, timeout: float = 60.0) -> None:
        """Ends the job without a savepoint and waits until it has ended; its checkpoints stay."""
        self._rest.patch(f"/jobs/{job_id}?mode=cancel")
        self.wait_ended(job_id, timeout)

    def wait_ended(self, job_id: str, timeout: float) -> str:
        """The state in which it ended."""
        return until(lambda: self._ended(job_id), timeout, f"the end of job {job_id}")

    # Starting.

    def submit(
        self,
        name: str,
        module: str,
        args: Sequence[str],
        restore: str | None = None,
        *,
        code: Path | None = None,
        timeout: float = 180.0,
        niceness: int = 0,
    ) -> str:
        """Submits our code as it stands (or the zip `code` of an earlier submission) and returns the job id.

        `restore` is the path of a checkpoint or savepoint, RestoreFailed when the job cannot begin with it; None starts
        without state. Does not wait for the job to run. `niceness` is that of building its graph.
        Hold `deploy_lock` from asking `running` to the end of this.
        """
        code = self.pack(code)
        job_id = client.run(self._settings, client.Job(module, args, code, restore, niceness), timeout)
        entry = Submission(job_id=job_id, name=name, at=time.time(), module=module, args=list(args), restored=restore)
        known = {"code": code.stem, "fingerprint": handover.fingerprint(self._settings)}
        self.ledger.put(entry.model_copy(update=known))
        return job_id

    def pack(self, code: Path | None = None) -> Path:
        """The zip of our code as it stands, or a copy of `code`; those of earlier submissions stay beside it."""
        folder = self._folder / "code"
        return package.keep(folder, code.read_bytes()) if code else package.store(folder)

    def code_of(self, entry: Submission) -> Path | None:
        """The zip that was submitted; None when it is no longer here."""
        path = self._folder / "code" / f"{entry.code}.zip"
        return path if entry.code and path.exists() else None

    def runs_already(self, job_id: str, args: Sequence[str], code: Path) -> bool:
        """Was the running job submitted with this code, these leading arguments and the settings in effect?"""
        wanted = (code.stem, list(args), handover.fingerprint(self._settings))
        entry = self.submission(job_id)
        return entry is not None and (entry.code, entry.args[: len(args)], entry.fingerprint) == wanted

    def wait_healthy(self, job_id: str, timeout: float) -> None:
        """Returns once the job has completed two checkpoints without a failure: they pass through every operator, and
        between them operators did their work.

        FlinkError with the job's own reason when it restarts or ends instead, or when the time is up.
        """
        until(lambda: self._healthy(job_id), timeout, f"the second checkpoint of job {job_id}", every=0.25)

    # Restore points.

    def restore_points(self, name: str) -> list[RestorePoint]:
        """Completed checkpoints and savepoints of all submissions of that job, newest first."""
        return self._restore.of(name)

    def newest_restore_point(self, name: str) -> str | None:
        """The path of the newest completed checkpoint or savepoint of any submission of that job; None without any."""
        points = self.restore_points(name)
        return points[0].path if points else None

    def prune(self, name: str) -> list[str]:
        """Removes restore points of submissions long past, once the running job has a checkpoint of its own."""
        return self._restore.prune(name)

    def give_up(self, name: str, before: float) -> list[str]:
        """Removes restore points that former submissions left before `before` (epoch seconds), which hold the log, once
        the newest has one of its own; the job ids."""
        return self._restore.give_up(name, before)

    def _savepoint(self, job_id: str, trigger: str) -> str | None:
        answer = self._rest.get(f"/jobs/{job_id}/savepoints/{trigger}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        operation = answer["operation"]
        if "failure-cause" in operation:
            reason = cause(operation["failure-cause"].get("stack-trace", ""))
            raise FlinkError(f"Flink at {self._rest.address} could not stop job {job_id} with a savepoint: {reason}")
        path: str = operation["location"]
        return path

    def _ended(self, job_id: str) -> str | None:
        state = self.state(job_id)
        return state if state in ENDED else None

    def _healthy(self, job_id: str) -> bool | None:
        if self.checkpoints_since_failure(job_id) >= HEALTHY_CHECKPOINTS:
            return True
        if self.state(job_id) in ENDED or self._restarts(job_id) >= HOPELESS_RESTARTS:
            raise FlinkError(f"job {job_id} does not run: {self.problem(job_id) or self.state(job_id)}")
        return None

    def _restarts(self, job_id: str) -> int:
        values = self._rest.get(f"/jobs/{job_id}/metrics?get=numRestarts")
        return int(float(values[0]["value"])) if values else 0
