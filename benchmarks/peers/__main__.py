"""`python -m benchmarks.peers`: both tasks with each peer, one process each, from one broker; a table and JSON lines.

Every peer runs three times over a short and over a long topic: the difference of the medians is what the events cost,
without its start and end. Its answer is checked. ONLY names one peer, EVENTS the length of the long topic.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import click
import msgspec

from benchmarks.failed import BenchmarkFailed
from benchmarks.peers import records
from benchmarks.peers.environments import NotInstalled, python
from benchmarks.peers.promises import PROMISES
from benchmarks.peers.records import Stream
from benchmarks.peers.task import TASKS, Found, Task
from benchmarks.results import Result, newest, record
from benchmarks.rig.broker import START_SECONDS, broker
from contracts.settings import Settings

HOME: Final = Path(__file__).parent.parent.parent
RUNS: Final = 3
EVENTS: Final = 200_000
SHORT: Final = 20_000
LONGEST_RUN: Final = 300.0  # seconds
# Our own jobs on a Flink cluster, measured by benchmarks of their own: the newest that are recorded.
OURS: Final = {"aggregate": ("aggregates_ndjson", "aggregates_arrow"), "profile": ("profiles",)}


class Peer(NamedTuple):
    """A module of this folder, and the interpreter it runs on."""

    name: str
    python: Path


class Used(NamedTuple):
    """Seconds on the clock and of CPU."""

    clock: float
    cpu: float


def main() -> int:
    """Exit status 1 when a peer's answer was wrong."""
    only = os.environ.get("ONLY", "")
    peers = [name for name in PROMISES if only in ("", name)]
    events = int(os.environ.get("EVENTS") or EVENTS)
    ready = dict(_installed(peers))
    results = []
    with broker("peers") as (settings, _):
        for kind in TASKS:
            short, long = (records.fill(settings, kind, length, START_SECONDS) for length in (SHORT, events))
            for peer, interpreter in ready.items():
                try:
                    results.append(_measure(settings, Peer(peer, interpreter), short, long))
                except BenchmarkFailed as error:
                    click.echo(f"FAILED: {peer}, {kind}: {error}", err=True)
                    continue
                click.echo(_row(results[-1]))
            for result in filter(None, (newest(HOME, name) for name in OURS[kind])):
                click.echo(f"{_row(result)} (tidewatch, measured apart)")
    record(results, HOME)
    click.echo("\n" + "\n".join(f"{name:14}{PROMISES[name]}" for name in ready))
    return 0 if len(results) == len(TASKS) * len(ready) else 1


def _installed(peers: list[str]) -> Iterator[tuple[str, Path]]:
    for peer in peers:
        click.echo(f"environment of {peer} ...")
        try:
            yield peer, python(peer)
        except NotInstalled as error:
            click.echo(f"left out: {peer} cannot be installed here:\n{error}", err=True)


def _measure(settings: Settings, peer: Peer, short: Stream, long: Stream) -> Result:
    starts = [_run(settings, peer, short, f"short{number}") for number in range(RUNS)]
    runs = [_run(settings, peer, long, f"long{number}") for number in range(RUNS)]
    clock = median(run.clock for run in runs) - median(run.clock for run in starts)
    cpu = median(run.cpu for run in runs) - median(run.cpu for run in starts)
    more = long.events - short.events
    return Result(f"peers.{long.kind}.{peer.name}", more / clock, "events/s", cpu_us=cpu / more * 1e6)


def _run(settings: Settings, peer: Peer, stream: Stream, name: str) -> Used:
    """BenchmarkFailed when the peer ends without an answer, or with a wrong one."""
    folder = settings.state_path / "peer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    task = Task(stream.kind, settings.bootstrap_servers, stream.topic, stream.events, str(folder), name)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    output = _call([str(peer.python), "-m", f"benchmarks.peers.{peer.name}", task.dump()])
    clock, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = msgspec.json.decode(output.strip().splitlines()[-1], type=Found)
    if found != stream.expected:
        raise BenchmarkFailed(f"{stream.expected} expected, {found} found")
    return Used(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _call(command: list[str]) -> bytes:
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    try:
        done = subprocess.run(command, cwd=HOME, env=environment, capture_output=True, timeout=LONGEST_RUN, check=False)  # noqa: S603  # a peer
    except subprocess.TimeoutExpired:
        raise BenchmarkFailed(f"not done within {LONGEST_RUN:.0f} s") from None
    if done.returncode or not done.stdout.strip():
        raise BenchmarkFailed(f"ended with status {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
    return done.stdout


def _row(result: Result) -> str:
    cpu = f"{result.cpu_us:>9.1f} us of CPU an event" if result.cpu_us is not None else ""
    return f"{result.name:32}{result.value:>10.0f} events/s{cpu}"


if __name__ == "__main__":
    sys.exit(main())
