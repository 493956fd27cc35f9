"""`tidewatch status`: what runs, and how it feels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # imports that --help shall not wait for
    from rich.table import Table

EXAMPLES = """
\b
Examples:
  tidewatch status
  tidewatch status --json | jq '.links[] | select(.ready | not)'
"""


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="The supervisor's state as one JSON object.")
def command(as_json: bool) -> None:
    """Show each part's health, pid, ports, version, memory, uptime and restarts, and how far the jobs are behind.

    Exit status 0 when everything is ready, 1 when something is not, 3 when nothing runs.
    """
    import json

    from rich.console import Console

    from cli.supervision import ask
    from contracts.settings_source import load

    settings = load()
    state = ask(settings)
    if as_json:
        click.echo(json.dumps(state or {"ready": False, "links": [], "lag": {}, "freshness": {}}))
    elif state is None:
        click.echo(f"not up ({settings.state_path}): start it by `tidewatch up`")
    else:
        console = Console()
        console.print(_table(state))
        console.print(_summary(state), highlight=False)
    raise SystemExit(3 if state is None else 0 if state["ready"] else 1)


def _table(state: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("part", "health", "pid", "ports", "version", "memory", "uptime", "restarts"):
        table.add_column(heading, no_wrap=heading in ("part", "pid", "version", "memory", "uptime"))
    for link in state["links"]:
        health = Text("ready", "green") if link["ready"] else Text(str(link["reason"]), "red")
        table.add_row(link["name"], health, *_figures(link))
    return table


def _figures(link: dict[str, Any]) -> list[str]:
    if link["kind"] != "part":
        return ["", "", link["kind"]]
    uptime = link["uptime_seconds"]
    return [
        str(link["pid"] or ""),
        " ".join(map(str, link["ports"])),
        link["version"],
        f"{link['resident_bytes'] / 2**20:.0f} MB",
        "" if uptime is None else f"{uptime:.0f} s",
        str(link["restarts"]),
    ]


def _summary(state: dict[str, Any]) -> str:
    seconds = state["freshness"]
    lag = ", ".join(f"{name} {records} ({seconds[name]:.0f} s)" for name, records in state["lag"].items())
    memory = sum(link.get("resident_bytes", 0) for link in state["links"]) / 2**20
    behind = f"records behind, as of the last checkpoint: {lag}" if lag else "lag not known yet"
    return f"supervisor pid {state['pid']}; {memory:.0f} MB in all; {behind}"
