"""The whole platform under a mix of calls, every answer compared with the one right one."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console

from benchmarks.failed import BenchmarkFailed
from benchmarks.processes import DRIVER, Usage
from cli import supervision
from cli.audit import command as audit
from cli.driving import drive
from cli.driving import run as run_loop
from cli.progress import Progress
from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.settings_source import load
from infra.embedded import instance
from testbed.begin import FIRST_MS
from testbed.driver import Load
from testbed.generator import Traffic
from testbed.report import Report

FULL_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Mix:
    """Calls a second of each kind. Everything is kept on var/bench/<name>."""

    name: str
    tags: float
    profiles: float
    aggregates: float


class Judged(NamedTuple):
    """What a run found, who used the CPU, and whether it had its full length: a short one is mostly a cold start."""

    report: Report
    usage: Usage
    full: bool

    @property
    def cpu_us(self) -> float:
        """CPU of the platform, the driver left out, in microseconds a tag."""
        used = sum(seconds for label, seconds in self.usage.cpu.items() if label != DRIVER)
        return used / self.report.tags.sent * 1e6


def judge(mix: Mix) -> Judged:
    """Starts a stack of its own, wiped first, with the settings' ports; sends the mix; stops it in the end.

    BenchmarkFailed when an answer is wrong, a call is refused, or archive and aggregates differ. SECONDS shortens it.
    """
    settings = load().model_copy(update={"state_dir": Path("var/bench") / mix.name})
    seconds = float(os.environ.get("SECONDS") or FULL_SECONDS)
    if settings.state_path.exists():
        shutil.rmtree(settings.state_path)
    console = Console()
    supervisor = supervision.start(settings, tied=True)
    try:
        with Progress(console) as progress:
            supervision.wait_ready(settings, supervisor, progress)
        usage = Usage()
        report = run_loop(_drive(settings, mix, seconds, console, usage, supervisor.pid))
        click.echo(report.as_text())
        click.echo(usage.table(report.tags.sent, report.seconds))
        _audit(settings)
    finally:
        supervision.stop(settings)
    if not report.passed:
        raise BenchmarkFailed("an answer was wrong, or a call was refused")
    return Judged(report, usage, seconds >= FULL_SECONDS)


async def _drive(
    settings: Settings, mix: Mix, seconds: float, console: Console, usage: Usage, supervisor: int
) -> Report:
    watch = asyncio.create_task(usage.watch(settings, supervisor))
    load = Load(settings.host, settings.api.port, mix.tags, mix.profiles, mix.aggregates)
    try:
        return await drive(load, Traffic(1, FIRST_MS), seconds, console)
    finally:
        watch.cancel()
        await asyncio.to_thread(usage.sample, settings, supervisor)


def _audit(settings: Settings) -> None:
    """BenchmarkFailed when archive and aggregates differ."""
    before = os.environ.get(CONFIG_VARIABLE)
    os.environ[CONFIG_VARIABLE] = str(instance.write_settings(settings))
    try:
        audit.main([], standalone_mode=False)
    except SystemExit:
        raise BenchmarkFailed("archive and aggregates differ") from None
    finally:
        if before is None:
            del os.environ[CONFIG_VARIABLE]
        else:
            os.environ[CONFIG_VARIABLE] = before
