"""`flink run` from the apache-flink wheel: a job goes to the cluster together with our code and the settings in effect.

The client builds the job's graph in a process of its own, which imports our code from the zip, as the workers do: what
is submitted is what was packaged, also when the checkout has moved on since.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from contracts.settings import CONFIG_VARIABLE, PREFIX, Settings
from infra.embedded.java import classpath, java
from infra.embedded.launch import tied
from infra.embedded.niceness import renice
from infra.embedded.part import PartError
from infra.flink import handover
from infra.flink.options import job_options
from infra.flink.rest import STACK_FRAME, FlinkError, RestoreFailed

CLIENT: Final = "org.apache.flink.client.cli.CliFrontend"
SUBMITTED: Final = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")
NOT_BEGUN: Final = "JobInitializationException"  # the cluster took the job and could not make anything of its state
RESTORE_CHOICES: Final = "For an older one, below flink/checkpoints: tidewatch deploy --from PATH"
TAIL_LINES: Final = 25
TEMPORARY: Final = "tmp"  # the client leaves folders behind
REQUIREMENTS: Final = Path(__file__).resolve().parents[1] / "deploy" / "requirements-jobs.txt"
# It lives for seconds: little heap, and no time spent on optimising what runs once, nor on verifying the planner's
# classes, a sixth of all that it takes (the set-up compares the checksums of jars). It comes after what `flink.options`
# tells all of Flink, which is sized for servers.
CLIENT_JVM: Final = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)


class Job(NamedTuple):
    """What to run: `python -m module args…` with `code` (a zip) on its path, from the restore point, if any; built with
    this niceness."""

    module: str
    args: Sequence[str]
    code: Path
    restore: str | None = None
    niceness: int = 0


def flink_home() -> Path:
    """The Flink distribution inside the apache-flink wheel of this environment."""
    spec = importlib.util.find_spec("pyflink")
    if spec is None or spec.origin is None:
        raise FlinkError("the package apache-flink is not installed here: run `make setup`")
    return Path(spec.origin).parent


def flink_folders(settings: Settings) -> dict[str, str]:
    """Where Flink finds itself, as its scripts would tell it by the environment."""
    home = flink_home()
    return {
        "FLINK_HOME": str(home),
        "FLINK_PLUGINS_DIR": str(home / "plugins"),
        "FLINK_OPT_DIR": str(home / "opt"),
        "FLINK_LIB_DIR": str(settings.tools_path / "flink"),
        "FLINK_BIN_DIR": str(home / "bin"),
    }


def check(job: Job, timeout: float = 60.0) -> None:
    """FlinkError when the job's code cannot even be imported; asked before what runs is stopped for it."""
    command = [sys.executable, "-c", "import importlib, sys; importlib.import_module(sys.argv[1])", job.module]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(job.code)}
    try:
        done = subprocess.run(  # noqa: S603 - our interpreter, arguments as a list
            command, env=environment, cwd=job.code.parent, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise FlinkError(f"importing {job.module} of {job.code} did not end within {timeout:.0f} s") from None
    if done.returncode:
        raise FlinkError(f"{job.module} of {job.code} cannot be imported:\n{_indented(done.stderr)}")


def run(settings: Settings, job: Job, timeout: float) -> str:
    """Submits and returns the job id; FlinkError with the end of the client's output when that fails.

    RestoreFailed when that is because of the restore point.
    """
    folder = settings.state_path / "flink" / "client" / job.module  # of its own: jobs are submitted side by side
    options = _write_config(settings, job, folder)
    shared = handover.write(settings, folder / "settings.yaml")
    log = folder / "submit.log"
    try:
        with log.open("wb") as output:
            status = _run_bounded(
                [*_flink(settings, folder, options), *_arguments(settings, job)],
                _environment(settings, folder, shared),
                folder,
                output,
                timeout,
                job.niceness,
            )
    finally:
        shared.unlink(missing_ok=True)
        shutil.rmtree(folder / TEMPORARY, ignore_errors=True)
    text = log.read_text(errors="replace")
    submitted = SUBMITTED.search(text)
    if submitted is None:
        told = _failure(settings, job, status, text, log)
        if job.restore and NOT_BEGUN in text:
            raise RestoreFailed(f"{job.restore} cannot be restored. {RESTORE_CHOICES}\n{told}")
        raise FlinkError(told)
    return submitted[1]


def _flink(settings: Settings, folder: Path, options: Mapping[str, str]) -> list[str]:
    """The program behind `bin/flink`, which would start two JVMs more, to look at Java and at a configuration that we
    know. Of `env.java.opts` those for `all` and `client` count."""
    try:
        program, libraries = java(), classpath(settings, "flink")
    except PartError as error:
        raise FlinkError(str(error)) from None
    told = " ".join(options.get(f"env.java.opts.{whose}", "") for whose in ("all", "client")).split()
    logging = [f"-Dlog.file={folder / 'client.log'}", f"-Dlog4j.configurationFile={folder / 'log4j-cli.properties'}"]
    temporary = f"-Djava.io.tmpdir={folder / TEMPORARY}"
    return [program, *told, *CLIENT_JVM, *logging, temporary, "-classpath", libraries, CLIENT]


def _arguments(settings: Settings, job: Job) -> list[str]:
    address = f"{settings.flink_host}:{settings.flink.port}"
    restore = ["-s", job.restore] if job.restore else []
    required = ["-pyreq", str(REQUIREMENTS)] if settings.flink.ship_requirements else []
    # `-m`, unlike the options of the configuration file, is what decides between a cluster and a local run.
    start = ["run", "-d", "-m", address, *restore]
    # Workers run `python -m`, which puts their working folder first on the path: a TaskManager started in a checkout
    # would run that in place of what was shipped. With an archive, Flink starts them in the folder that holds it.
    shipped = ["-pyfs", str(job.code), "-pyarch", f"{job.code}#code"]
    return [*start, *shipped, *required, "-pym", job.module, *job.args]


def _run_bounded(
    command: list[str], environment: dict[str, str], cwd: Path, output: Any, timeout: float, niceness: int
) -> int | None:
    """Exit status; None when the time was up. In a session of its own, so that JVM and Python end together.

    It dies with the caller: it would go on to submit the job to whatever cluster it finds at the address later.
    """
    with subprocess.Popen(  # noqa: S603 - Flink's own client, the arguments are a list
        tied(command),
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    ) as process:
        if niceness:
            renice(process.pid, niceness)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _environment(settings: Settings, folder: Path, shared: Path) -> dict[str, str]:
    """Nothing of the checkout (PYTHONPATH), and no setting but those of the file: the ones in effect for the caller."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith((PREFIX, "FLINK_", "PYTHON"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        **flink_folders(settings),
        "FLINK_CONF_DIR": str(folder),
        "FLINK_LOG_DIR": str(folder),
        CONFIG_VARIABLE: str(shared),
    }


def _write_config(settings: Settings, job: Job, folder: Path) -> dict[str, str]:
    """Returns the options."""
    (folder / TEMPORARY).mkdir(parents=True, exist_ok=True)
    shipped = flink_home() / "conf"
    opened = yaml.safe_load((shipped / "config.yaml").read_text())["env"]["java"]["opts"]["all"]
    options = {
        "env.java.opts.all": opened,  # the modules of the JDK that Flink needs opened
        "rest.address": settings.flink_host,
        "rest.port": str(settings.flink.port),
        **job_options(settings, job.module),
    }
    # JSON is YAML that needs no care for quoting.
    (folder / "config.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in options.items()))
    shutil.copyfile(shipped / "log4j-cli.properties", folder / "log4j-cli.properties")
    return options


def _failure(settings: Settings, job: Job, status: int | None, text: str, log: Path) -> str:
    how = "was ended, its time was up" if status is None else f"ended with status {status}"
    address = f"{settings.flink_host}:{settings.flink.port}"
    return f"`flink run` of {job.module} on {address} {how} and submitted nothing; its output: {log}\n{_indented(text)}"


def _indented(text: str) -> str:
    """The end of a program's output without the frames of Java's stack traces."""
    told = [line for line in text.splitlines() if not STACK_FRAME.match(line)]
    return "\n".join(f"  {line}" for line in told[-TAIL_LINES:])
