"""`tidewatch logs`: what the parts wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """
\b
Examples:
  tidewatch logs                   the parts that have a log
  tidewatch logs api -n 100        its last 100 lines
  tidewatch logs flink -f          follow all whose name begins with flink
"""
POLL_SECONDS = 0.3


@click.command(epilog=EXAMPLES)
@click.argument("part", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written, until Ctrl-C.")
@click.option("-n", "--lines", default=40, show_default=True, help="How many lines to begin with.")
def command(part: str | None, follow: bool, lines: int) -> None:
    """Print the end of a PART's log.

    Parts are supervisor, kafka, clickhouse, flink-jobmanager, flink-taskmanager, api and alerts.
    """
    from contracts.settings_source import load
    from infra.embedded.child import tail

    folder = load().state_path / "logs"
    logs = sorted(folder.glob("*.log"))
    if part is None:
        click.echo("\n".join(f"{log.stem:20}{log.stat().st_size:>12} bytes" for log in logs) or f"no logs in {folder}")
        return
    chosen = [log for log in logs if log.stem.startswith(part)]
    if not chosen:
        raise click.UsageError(f"no log of {part!r} in {folder}; there are {', '.join(log.stem for log in logs)}")
    for log in chosen:
        if len(chosen) > 1:
            click.echo(f"==> {log.stem} <==")
        click.echo(tail(log, lines))
    if follow:
        _follow(chosen)


def _follow(logs: list[Path]) -> None:
    """Prints what is appended, prefixed when there are several."""
    import time

    places = {log: log.stat().st_size for log in logs}
    while True:
        for log, place in places.items():
            size = log.stat().st_size
            with open(log, "rb") as file:
                file.seek(place if size >= place else 0)  # emptied meanwhile: from its new beginning
                new = file.read()
            places[log] += len(new) if size >= place else len(new) - place
            for line in new.decode(errors="replace").splitlines():
                click.echo(f"{log.stem}: {line}" if len(logs) > 1 else line)
        time.sleep(POLL_SECONDS)
