"""Keeps our jobs on the embedded Flink: submitted when they do not run, from the newest restore point."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from cli.job_reading import require_log, rewind
from cli.job_start import DeployError, JobKind, Start, arguments, choose, reads, wanted
from contracts.settings import Settings
from infra import topics
from infra.flink.rest import Rest
from infra.flink_cluster import FlinkCluster, FlinkError, RestoreFailed, deploy_lock

RUNNING: Final = "RUNNING"
TOPICS_SECONDS: Final = 10.0
STATE_UNREADABLE: Final = "StreamOperatorStateContext"  # what Flink makes when it restores a task's state


class JobDown(Exception):
    """A job does not do its work; the message says why."""


class KeepJobs:
    """To be called again and again. The first submission is of the checkout's code, later ones of what was submitted
    last, so that an edit under way does not go live because a process died. When the newest restore point turns out to
    be broken, the one before it is taken: nothing counts twice, dead letters since come again under the same ids.
    """

    def __init__(self, settings: Settings, *, submits: bool) -> None:
        self._settings, self._submits = settings, submits
        self._cluster = FlinkCluster(settings)
        self._rest = Rest(settings.flink_host, settings.flink.port)
        self._submitted: set[str] = set()
        self._broken: dict[str, set[str]] = defaultdict(set)  # by job, restore points that it could not begin with

    def __call__(self) -> None:
        """Returns when all jobs run; JobDown, or an error of Flink, Kafka or ClickHouse, when one does not yet."""
        running: list[tuple[JobKind, str]] = []
        missing: list[JobKind] = []
        failures: list[Exception] = []
        for job in wanted(self._settings):
            with _noted(failures):
                job_id = self._running(job)
                if job_id is None:
                    missing.append(job)
                else:
                    running.append((job, job_id))
        if missing:
            with _noted(failures):
                running += self._submit_all(missing, failures)
        for job, job_id in running:
            with _noted(failures):
                self._require_running(job, job_id)
        if failures:
            raise failures[0]

    def _running(self, job: JobKind) -> str | None:
        """The job's id; None when it is to be submitted."""
        running = self._cluster.running(job.name)
        if running is not None and not self._reads_another_topic(job, running):
            return running
        if not self._submits:
            raise JobDown(f"job {job.name} does not run on {self._rest.address}: submit it by `tidewatch deploy`")
        return None

    def _submit_all(self, jobs: Sequence[JobKind], failures: list[Exception]) -> list[tuple[JobKind, str]]:
        """Side by side, as building a job's graph takes one core for seconds; but the first, which answers need, goes
        before the others. What was submitted, and its id."""
        submitted: list[tuple[JobKind, str]] = []
        with deploy_lock(self._settings), ThreadPoolExecutor(len(jobs)) as threads:
            ids = topics.ensure(self._settings, TOPICS_SECONDS)
            nice = [0, *[self._settings.supervisor.nice] * (len(jobs) - 1)]
            begun = [(job, threads.submit(self._submit, job, ids, one)) for job, one in zip(jobs, nice, strict=True)]
            for job, submission in begun:
                with _noted(failures):
                    submitted.append((job, submission.result()))
        return submitted

    def _submit(self, job: JobKind, ids: dict[str, str], nice: int) -> str:
        running = self._cluster.running(job.name)
        if running is not None:  # of a topic that was deleted, or somebody was faster
            self._cluster.cancel(running)
        start = self._choose(job, ids)
        rewind(self._settings, self._cluster, job, ids, start)
        last = next(iter(self._cluster.ledger.of(job.name)), None)
        code = self._cluster.code_of(last) if last and job.name in self._submitted else None
        args = arguments(self._settings, job, ids, start)
        try:
            submitted = self._cluster.submit(job.name, job.module, args, start.restore, code=code, niceness=nice)
        except RestoreFailed:
            self._broken[job.name].add(start.restore or "")
            raise
        self._cluster.prune(job.name)
        self._submitted.add(job.name)
        return submitted

    def _choose(self, job: JobKind, ids: dict[str, str]) -> Start:
        try:
            start = choose(self._settings, self._cluster, job, ids, self._broken[job.name])
        except DeployError:
            self._broken[job.name].clear()  # from the newest again: perhaps the disk or the cluster was broken
            raise
        if start.restore and self._broken[job.name]:
            require_log(self._settings, self._cluster, job, start.restore, force=False)
        return start

    def _reads_another_topic(self, job: JobKind, running: str) -> bool:
        """Whether the topic was deleted and created again since: the job's offsets mean nothing in the new one."""
        current = topics.topic_ids(self._settings).get(job.topic(self._settings).name, "")
        return not reads(self._cluster, running, current)

    def _require_running(self, job: JobKind, running: str) -> None:
        answer = self._rest.get(f"/jobs/{running}")
        tasks = [vertex["status"] for vertex in answer["vertices"]]
        if answer["state"] != RUNNING:
            why = self._problem(running)
            self._give_up_broken(job, running, why)
            raise JobDown(f"job {job.name} is {answer['state']}: {why}")
        if any(status != RUNNING for status in tasks):
            raise JobDown(f"job {job.name} is starting: {tasks.count(RUNNING)} of {len(tasks)} tasks run")
        self._broken[job.name].clear()  # it could read its state: what comes after is newer than the broken ones

    def _give_up_broken(self, job: JobKind, running: str, why: str) -> None:
        """Cancels a job that begins again and again with state that it cannot read, so that older one is taken."""
        entry = self._cluster.submission(running)
        if entry is None or entry.restored is None or STATE_UNREADABLE not in why:
            return
        if not self._cluster.checkpoints_since_failure(running):
            self._broken[job.name].add(entry.restored)
            self._cluster.cancel(running)

    def _problem(self, running: str) -> str:
        try:
            return self._cluster.problem(running) or "no reason given yet"
        except FlinkError as error:
            return str(error)


@contextmanager
def _noted(failures: list[Exception]) -> Iterator[None]:
    """One job's failure keeps no other from being kept running; it is raised after that."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it is
        failures.append(error)
