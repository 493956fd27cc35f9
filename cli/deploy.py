"""`tidewatch deploy`: our code as it stands, running on the Flink cluster of the settings, from the state before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # the rest takes a second to import, which --help shall not wait for
    from collections.abc import Callable

    from cli.job_start import JobKind, Start
    from contracts.settings import Settings
    from infra.flink_cluster import FlinkCluster

LOCK_SECONDS = 60.0
EXAMPLES = """
\b
Examples:
  tidewatch deploy                    new code, from a savepoint of what runs
  tidewatch deploy --dry-run          what would be done
  tidewatch deploy --job detection    of that job alone
  tidewatch deploy --from file:///…   from a restore point of your choice
  tidewatch deploy --code ZIP         earlier code, from state_dir/flink/code
  tidewatch deploy --rebuild          without state: from the blocks in ClickHouse
  tidewatch deploy --rebuild --job detection    without state: from the beginning of the topic series
"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    name: str = "data"
    rebuild: bool = False
    restore: str | None = None
    code: Path | None = None
    force: bool = False
    dry_run: bool = False


@click.command(epilog=EXAMPLES)
@click.option("--job", "name", help="Which job.  [default: all; with --rebuild or --from: data]")
@click.option("--rebuild", is_flag=True, help="Start without state: from what can be read again.")
@click.option("--from", "restore", metavar="PATH", help="A savepoint or checkpoint to start from.")
@click.option(
    "--code", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Zip of an earlier deployment."
)
@click.option(
    "--force",
    is_flag=True,
    help="Also when this code and these settings run already, or when it is not known whether the log holds what comes "
    "after --from.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def command(name: str | None, **options: object) -> None:
    """Stop the jobs with savepoints and run this checkout's code from these.

    A job that does not run starts from its newest restore point. A start without state is refused, unless nothing was
    counted yet or --rebuild is given. When the new code does not run, the former is submitted again.
    """
    from cli.job_start import DATA, wanted
    from contracts.settings_source import load

    settings = load()
    every = [job.name for job in wanted(settings)] if not options["rebuild"] and not options["restore"] else [DATA.name]
    for one in [name] if name else every:
        deploy(settings, Options(one, **options), click.echo)  # type: ignore[arg-type]  # click's names are the fields'


def deploy(settings: Settings, options: Options, say: Callable[[str], None]) -> str | None:
    """The id of the job that runs now, None after a dry run.

    DeployError when it refuses or falls back to the former code; FlinkError, TopicError and DeployBusy as they come.
    """
    from infra.flink_cluster import FlinkCluster, deploy_lock

    cluster = FlinkCluster(settings)
    with deploy_lock(settings, LOCK_SECONDS):  # the supervisor submits nothing meanwhile
        return _deploy(settings, options, cluster, say)


def _deploy(settings: Settings, options: Options, cluster: FlinkCluster, say: Callable[[str], None]) -> str | None:
    from cli.deployment import Deployment
    from cli.job_reading import rewind
    from cli.job_start import arguments
    from infra import topics

    job = _job(options.name)
    ids = topics.topic_ids(settings)
    running = cluster.running(job.name)
    start = _start(settings, options, job, cluster, running, ids)
    args = arguments(settings, job, ids, start)
    code = cluster.pack(options.code)
    if running and start is None and not options.force and cluster.runs_already(running, args, code):
        say(f"{job.name} runs this code with these settings already ({running}); --force deploys it again")
        return running
    deployment = Deployment(
        cluster,
        job,
        code,
        args,
        settings.flink.deploy_seconds,
        say,
        lambda start: rewind(settings, cluster, job, ids, start),
    )
    if options.dry_run:
        say(deployment.plan(running, start))
        return None
    submitted = deployment.run(running, start)
    if options.rebuild and job.rebuilds_from == "blocks":
        say("events that waited for the profile store in the lost state: `tidewatch rebuild profiles` adds them")
    say(f"{job.name} runs as {submitted}, code {code.stem}")
    return submitted


def _start(
    settings: Settings, options: Options, job: JobKind, cluster: FlinkCluster, running: str | None, ids: dict[str, str]
) -> Start | None:
    """None: from the savepoint that the running job is stopped with."""
    from cli.job_reading import require_log
    from cli.job_start import DeployError, Start, choose, reads

    if options.rebuild and options.restore:
        raise DeployError("--rebuild starts without state, --from with one: choose")
    if options.rebuild:
        return Start(None, job.rebuilds_from)
    if options.restore:
        require_log(settings, cluster, job, options.restore, force=options.force)
        return Start(options.restore)
    if running and reads(cluster, running, ids[job.topic(settings).name]):
        return None
    return choose(settings, cluster, job, ids)


def _job(name: str) -> JobKind:
    from cli.job_start import JOBS, DeployError

    if name not in JOBS:
        raise DeployError(f"there is no job {name}; known: {', '.join(JOBS)}")
    return JOBS[name]
