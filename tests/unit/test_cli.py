"""The command line: every command explains itself, errors are one line and a next step."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.errors import explain
from cli.main import main
from cli.supervision import StartFailed
from contracts import VERSION
from contracts.settings import SettingsError

CHECKOUT = Path(__file__).parent.parent.parent
COMMANDS = main.list_commands(click.Context(main))


def tidewatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments]
    path = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(  # noqa: S603  # this interpreter
        command, capture_output=True, text=True, check=False, env={**path, **environment}, cwd=CHECKOUT
    )


def test_all_commands_are_found() -> None:
    wanted = {"up", "down", "status", "logs", "demo", "drive", "deploy", "migrate", "audit", "rebuild", "replay"}
    assert wanted | {"config", "alerts"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_examples(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])
    assert answer.exit_code == 0
    assert "Examples:" in answer.output
    assert f"tidewatch {name}" in answer.output or f" {name}" in answer.output


def test_help_is_quick() -> None:
    tidewatch("--help")  # compiles
    spent = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", HELP_SECONDS], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    alone, with_help = map(float, spent.stdout.split())
    assert with_help < 5 * alone, "it takes far more CPU than click alone: a command imports too much at its top"


HELP_SECONDS = """
import time
from click.testing import CliRunner
print(time.process_time())
from cli.main import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
print(time.process_time())
"""


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{VERSION}"' in (CHECKOUT / "pyproject.toml").read_text()
    assert VERSION in CliRunner().invoke(main, ["--version"]).output


def test_an_unknown_command_names_those_there_are() -> None:
    answer = CliRunner().invoke(main, ["frobnicate"])
    assert answer.exit_code == 2
    assert "up" in answer.output


def test_an_unknown_setting_is_an_error_without_traceback() -> None:
    answer = tidewatch("config", TIDEWATCH_KAFKA__PROT="1")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: unknown setting in the environment: TIDEWATCH_KAFKA__PROT")
    assert "Traceback" not in answer.stderr


def test_config_shows_what_is_in_effect(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("clickhouse: {password: hush}\napi: {port: 8181}")
    answer = tidewatch("--config", str(file), "config", TIDEWATCH_API__WORKERS="3")
    assert answer.returncode == 0
    assert "port: 8181" in answer.stdout
    assert "workers: 3" in answer.stdout
    assert "hush" not in answer.stdout
    assert tidewatch("--config", str(file), "config", "--path").stdout.strip() == str(file)


def test_what_is_not_up_says_so(tmp_path: Path) -> None:
    state = {"TIDEWATCH_STATE_DIR": str(tmp_path), "TIDEWATCH_SUPERVISOR__PORT": "1"}
    assert tidewatch("status", **state).returncode == 3
    assert tidewatch("status", "--json", **state).stdout.startswith('{"ready": false')
    assert "was not up" in tidewatch("down", **state).stdout
    assert "no logs" in tidewatch("logs", **state).stdout


def test_logs_shows_the_end_of_what_was_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "api.log").write_text("first\nlast\n")
    (tmp_path / "logs" / "kafka.log").write_text("other\n")
    state = {"TIDEWATCH_STATE_DIR": str(tmp_path)}
    assert tidewatch("logs", "api", "-n", "1", **state).stdout == "last\n"
    assert "kafka" in tidewatch("logs", **state).stdout
    unknown = tidewatch("logs", "postgres", **state)
    assert unknown.returncode == 2
    assert "api, kafka" in unknown.stderr


@pytest.mark.parametrize("error", [SettingsError("a"), StartFailed("b")])
def test_our_own_errors_are_for_people(error: Exception) -> None:
    assert explain(error) == str(error)


def test_a_defect_is_not_hidden() -> None:
    assert explain(KeyError("x")) is None


def test_the_script_says_how_to_set_up(tmp_path: Path) -> None:
    script = tmp_path / "tidewatch"
    shutil.copy(CHECKOUT / "tidewatch", script)
    answer = subprocess.run([str(script)], capture_output=True, text=True, check=False)  # noqa: S603  # our script
    assert answer.returncode == 2
    assert "make setup" in answer.stderr
