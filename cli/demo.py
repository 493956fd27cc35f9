"""`tidewatch demo`: the whole platform from nothing, under traffic, with every answer checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # imports that --help shall not wait for
    from rich.console import Console

    from contracts.settings import Settings
    from testbed.report import Report

HOUR = 3600.0  # the oracle keeps every tag, about 2 GB an hour
EXAMPLES = """
\b
Examples:
  tidewatch demo                   until Ctrl-C
  tidewatch demo --seconds 60      ends by itself; exit status 0 when every answer was right
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--seconds", type=click.FloatRange(1, HOUR), default=HOUR, help="Of traffic, unless Ctrl-C ends it before."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of traffic and questions.")
def command(seconds: float, seed: int) -> None:
    """Start everything on the state folder var/demo, wiped first; send 1000 tags, 100 profile reads and 1 aggregate
    query a second; check every answer.

    Ctrl-C or the end of the traffic stops everything. After the traffic, ten seconds pass until its last tag must be
    seen, then every minute and a sample of the profiles are checked once more. Exit status 1 when an answer was wrong.
    """
    import signal

    from rich.console import Console

    from cli.supervision import stop
    from contracts.settings_source import load

    settings = _own(load())
    console = Console()
    for number in (signal.SIGINT, signal.SIGTERM):  # both end it, also where a shell started it with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    stop(settings)  # a demo whose terminal was closed
    _wipe(settings)
    report: Report | None = None
    try:
        report = _run(settings, console, seconds, seed)
    except KeyboardInterrupt:
        click.echo("interrupted")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C would cut short the orderly stop
            signal.signal(number, signal.SIG_IGN)
        click.echo("stopping everything")
        stop(settings)
    if report is not None:
        click.echo(report.as_text())
    raise SystemExit(130 if report is None else 0 if report.passed else 1)


def _own(settings: Settings) -> Settings:
    """The settings on a state folder of the demo's own: nothing else is ever wiped."""
    from pathlib import Path
    from typing import get_args

    from contracts.settings import Part, SettingsError

    if set(settings.embedded) != set(get_args(Part)):
        raise SettingsError("the demo runs all parts itself: unset `embedded`, or use `tidewatch up` and `drive`")
    inside = {
        "profiles": settings.profiles.model_copy(update={"kind": "lmdb", "path": ""}),
        "flink": settings.flink.model_copy(update={"checkpoint_dir": "", "savepoint_dir": ""}),
    }
    return settings.model_copy(update={"state_dir": Path("var/demo"), **inside})


def _wipe(settings: Settings) -> None:
    import shutil

    if settings.state_path.exists():
        shutil.rmtree(settings.state_path)


def _run(settings: Settings, console: Console, seconds: float, seed: int) -> Report:
    import time

    from cli.driving import drive, run
    from cli.progress import Progress
    from cli.supervision import StartFailed, start, wait_ready
    from testbed.begin import FIRST_MS
    from testbed.driver import Load
    from testbed.generator import Traffic

    began = time.monotonic()
    process = start(settings, tied=True)
    try:
        with Progress(console) as progress:
            wait_ready(settings, process, progress)
    except StartFailed as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
    console.print(f"[{progress.elapsed:5.1f} s] ready", markup=False, highlight=False)
    _addresses(settings, console)
    load = Load(settings.host, settings.api.port, token=settings.api.token)
    return run(drive(load, Traffic(seed, FIRST_MS), seconds, console, began))


def _addresses(settings: Settings, console: Console) -> None:
    host = settings.host
    for name, address in (
        ("API", f"http://{host}:{settings.api.port}/user_profiles/…, /aggregates, /readyz, /metrics"),
        ("Flink", f"http://{host}:{settings.flink.port}"),
        ("ClickHouse", f"http://{host}:{settings.clickhouse.port}/play"),
        ("health", f"http://{host}:{settings.supervisor.port}/readyz"),
        ("logs", str(settings.state_path / "logs")),
    ):
        console.print(f"{name:10} {address}", markup=False, highlight=False, soft_wrap=True)
