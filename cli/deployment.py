"""Replaces a running job by new code over a savepoint, and brings the former code back when the new does not run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cli.job_start import DeployError, JobKind, Start
from infra.flink.client import Job, check
from infra.flink.ledger import Submission
from infra.flink_cluster import FlinkCluster, FlinkError


@dataclass(frozen=True)
class Deployment:
    """`timeout` in seconds, for each of savepoint, submission and first checkpoints; `say` shows progress; `prepare` is
    called between the end of the former job and a start."""

    cluster: FlinkCluster
    job: JobKind
    code: Path
    args: list[str]
    timeout: float
    say: Callable[[str], None]
    prepare: Callable[[Start], None]

    def run(self, running: str | None, start: Start | None) -> str:
        """Replaces the running job (from its savepoint when `start` is None) or starts it; returns the job id."""
        check(Job(self.job.module, self.args, self.code))
        if running:
            return self.replace(running, start)
        if start is None:
            raise ValueError("a job that does not run needs a start")
        try:
            return self.start(start)
        except FlinkError as error:
            raise DeployError(f"{error}\nNothing runs now, as before") from None

    def plan(self, running: str | None, start: Start | None) -> str:
        """What `run` would do, in words."""
        code = f"code {self.code.stem}, arguments {' '.join(self.args)}"
        stop = f"would stop {self.job.name} ({running}) with a savepoint, and start it" if running else "would start it"
        return f"{stop} {start or 'from that'}: {code}"

    def replace(self, running: str, start: Start | None) -> str:
        """Stops with a savepoint, then starts from it, or from `start`.

        When the new code does not run, the former is submitted again from the savepoint, and DeployError says so.
        """
        former = self.cluster.submission(running)
        restore = self.stop(running, former)
        # Without any state so far the new job begins where the former did, which its arguments say.
        new = replace(self, args=former.args) if former and start is None and restore is None else self
        try:
            return new.start(start or Start(restore))
        except FlinkError as error:
            raise DeployError(f"{error}\n{self._bring_back(former, restore)}") from None

    def stop(self, running: str, former: Submission | None) -> str | None:
        """Stops the running job and returns its savepoint.

        One that fails again and again can take none: then its newest checkpoint, None if it never came to one and began
        without state. DeployError when it goes on instead.
        """
        self.say(f"stopping {self.job.name} ({running}) with a savepoint")
        try:
            savepoint = self.cluster.stop_with_savepoint(running, self.timeout)
        except FlinkError as error:
            return self._give_up(running, former, error)
        self.say(f"stopped; its savepoint is {savepoint}")
        return savepoint

    def _give_up(self, running: str, former: Submission | None, why: FlinkError) -> str | None:
        newest = self.cluster.newest_restore_point(self.job.name)
        stateless = former is not None and former.restored is None
        if self.cluster.checkpoints_since_failure(running) or not (newest or stateless):
            advice = "Nothing was deployed; look at the running job first (tidewatch status)"
            raise DeployError(f"{why}\n{advice}") from None
        self.say(
            f"{self.job.name} fails and takes no savepoint; cancelled, its newest checkpoint: {newest or 'none yet'}"
        )
        self.cluster.cancel(running)
        return newest

    def start(self, start: Start) -> str:
        """Submits and waits for the first checkpoints; cancels a job that does not get there: FlinkError says why."""
        self.prepare(start)
        submitted = self.cluster.submit(
            self.job.name, self.job.module, self.args, start.restore, code=self.code, timeout=self.timeout
        )
        self.say(f"submitted {self.job.name} as {submitted}, {start}; waiting for its first checkpoints")
        try:
            self.cluster.wait_healthy(submitted, self.timeout)
        except FlinkError:
            if self.cluster.running(self.job.name) == submitted:
                self.cluster.cancel(submitted)
            raise
        self.cluster.prune(self.job.name)
        return submitted

    def _bring_back(self, former: Submission | None, restore: str | None) -> str:
        """What runs now, in words."""
        by_hand = "Nothing runs now. When it is mended: tidewatch deploy" + (f" --from {restore}" if restore else "")
        code = self.cluster.code_of(former) if former else None
        if former is None or code is None:
            return by_hand
        self.say(f"the new code does not run; submitting the former again ({code.stem})")
        try:
            submitted = replace(self, code=code, args=former.args).start(Start(restore))
        except FlinkError as error:
            return f"The former code ({code.stem}) does not run either: {error}\n{by_hand}"
        return f"The former code ({code.stem}) runs again as {submitted}, {Start(restore)}: nothing is lost"
