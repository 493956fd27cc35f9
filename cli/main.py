"""Finds the subcommands and turns every foreseen error into one line and a next step.

A subcommand is a module of this folder with a `command: click.Command`; adding one touches nothing else. Modules keep
their heavy imports inside the functions, because `--help` imports them all.
"""

import importlib
import os
import re
import sys
from pathlib import Path
from typing import Final

import click

from cli.errors import explain
from contracts import VERSION

FOLDER: Final = Path(__file__).parent
CONFIG_VARIABLE: Final = "TIDEWATCH_CONFIG"  # contracts.settings has it too, but takes 0.2 s to import
COMMAND: Final = re.compile(r"^(def command\(|command\b.*=)", re.MULTILINE)


class Folder(click.Group):
    """The group of all modules of this folder that define a `command`, by the name of their file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(file.stem.replace("_", "-") for file in FOLDER.glob("*.py") if COMMAND.search(file.read_text()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name.replace('-', '_')}").command
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command {args[0]!r}; there are {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Folder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False, resolve_path=True), help="YAML file of settings."
)
@click.version_option(VERSION, prog_name="tidewatch")
def main(config: str | None) -> None:
    """Event analytics on real Kafka, Flink and ClickHouse.

    Settings come from TIDEWATCH_… variables, then the file of --config (or TIDEWATCH_CONFIG), then defaults.

    \b
    Examples:
      tidewatch up                  start everything and wait until it is ready
      tidewatch status              what runs, and how it feels
      tidewatch logs api -f         follow a part's log
      tidewatch down                stop everything
    """
    if config:
        os.environ[CONFIG_VARIABLE] = config


def run() -> None:
    """The entry point: exit status 0, 1 when it went wrong, 2 when it was asked wrongly."""
    try:
        main(prog_name="tidewatch")
    except Exception as error:
        text = explain(error)
        if text is None:
            raise  # a defect: the traceback is what helps
        click.echo(f"error: {text}", err=True)
        sys.exit(2)
