"""`tidewatch up`: everything runs when this returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # imports that --help shall not wait for
    import subprocess

    from rich.console import Console

    from contracts.settings import Settings
    from infra.embedded.instance import Running

EXAMPLES = """
\b
Examples:
  tidewatch up                             in the background; returns when ready
  tidewatch up --foreground                until Ctrl-C
  TIDEWATCH_API__PORT=9000 tidewatch up    another port for the API
"""


@click.command(epilog=EXAMPLES)
@click.option("--foreground", is_flag=True, help="Stay, and stop everything on Ctrl-C.")
@click.option("--supervise", is_flag=True, hidden=True, help="Be the supervisor (what the background process runs).")
def command(foreground: bool, supervise: bool) -> None:
    """Start Kafka, ClickHouse, Flink with its jobs, the API and the alert service, and wait until all are ready.

    A part that dies is started again. Parts that the setting `embedded` does not name are expected to run elsewhere.
    Exit status 1, with the end of the failing part's log, when the stack does not become ready; nothing is left running
    then.
    """
    from rich.console import Console

    from contracts.settings_source import load
    from infra.embedded import instance

    settings = load()
    if supervise:
        _supervise(settings)
    elif running := instance.find(settings):
        click.echo(f"already up ({settings.state_path}): see `tidewatch status`")
        _join(settings, running)
    else:
        _start(settings, Console(), foreground)


def _join(settings: Settings, running: Running) -> None:
    """Returns when what another `up` started is ready; exit status 1 when it does not become so."""
    import time

    from cli.supervision import POLL_SECONDS, ask

    deadline = time.monotonic() + settings.supervisor.start_timeout_seconds
    while not (state := ask(settings) or {}).get("ready"):
        if not running.lives() or time.monotonic() > deadline:
            reasons = [f"{link['name']}: {link['reason']}" for link in state.get("links", []) if not link["ready"]]
            click.echo("\n".join(["error: it is not ready", *reasons]), err=True)
            raise SystemExit(1)
        time.sleep(POLL_SECONDS)


def _supervise(settings: Settings) -> None:
    import faulthandler
    import sys

    import structlog

    from cli.stack import compose
    from contracts.log_lines import LineLoggerFactory

    faulthandler.enable()  # were a library to crash, the log says in which
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=LineLoggerFactory(sys.stdout),
    )
    compose(settings).run()


def _start(settings: Settings, console: Console, foreground: bool) -> None:
    """In both ways the supervisor is a process of its own; in the foreground it is tied to this one."""
    import signal

    from cli.progress import Progress
    from cli.supervision import StartFailed, start, wait_ready

    if foreground:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    process = start(settings, tied=foreground)
    try:
        with Progress(console) as progress:
            wait_ready(settings, process, progress)
        console.print(f"[{progress.elapsed:5.1f} s] ready", markup=False, highlight=False)
        _addresses(settings, console)
        if foreground:
            process.wait()
    except StartFailed as error:
        _stop(settings, process)
        click.echo(f"error: {error}\nNothing was left running. All logs: {settings.state_path / 'logs'}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        console.print("stopping")
        _stop(settings, process)
        raise SystemExit(130) from None


def _stop(settings: Settings, supervisor: subprocess.Popen[bytes]) -> None:
    """Also a supervisor that is still importing, and has not noted its pid yet."""
    from cli.supervision import stop

    supervisor.terminate()
    stop(settings)
    supervisor.wait()


def _addresses(settings: Settings, console: Console) -> None:
    lines = [f"state  {settings.state_path}", f"health http://{settings.host}:{settings.supervisor.port}/readyz"]
    if "flink" in settings.embedded:
        lines.append(f"Flink  http://{settings.host}:{settings.flink.port}")
    if "api" in settings.embedded:
        lines.append(f"API    http://{settings.host}:{settings.api.port}")
    if "alerts" in settings.embedded:
        lines.append(f"alerts http://{settings.host}:{settings.alerts.port}/readyz")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
