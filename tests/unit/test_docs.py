"""README and docs name only what exists: files, links, settings, commands with their options, metrics, messages."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from alerts import metrics as alert_metrics
from api import metrics
from cli.main import main
from contracts.settings import CONFIG_VARIABLE, PREFIX, Settings

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]
ROOMS = "alerts|analysis|api|benchmarks|cli|contracts|docs|infra|jobs|sql|stores|testbed|tests"
CODE = re.compile(r"^```\w*\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(rf"(?<![\w./-])((?:{ROOMS})/[\w./-]*|docker-compose\.yml|pyproject\.toml|requirements[\w.-]*)")
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z0-9_]+\b")
SETTING = re.compile(r"^([a-z_]+)(\.[a-z_0-9]+)+$")
COMMAND = re.compile(r"(?<![\w/=-])(?:\./)?tidewatch (?:--config \S+ )?([a-z][a-z-]*|--[a-z-]+)([^\n#|]*)")
TARGET = re.compile(r"(?<![\w-])make ([a-z]+)((?: [A-Z]+=)?)")
METRIC = re.compile(r"\btidewatch_[a-z_]+\b")


@pytest.fixture(params=PAGES, ids=NAMES)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def code(page: Path) -> str:
    """What stands in code spans and blocks, a piece a line, lines continued by a backslash joined."""
    pieces = [block or span for block, span in CODE.findall(page.read_text())]
    return "\n".join(pieces).replace("\\\n", " ")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if not link.startswith("http"):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_named_files_exist(page: Path) -> None:
    for name in FILE.findall(code(page)):
        assert (CHECKOUT / name.rstrip(".")).exists(), name


def test_settings_exist(page: Path) -> None:
    for variable in set(VARIABLE.findall(page.read_text())) - {CONFIG_VARIABLE}:
        assert is_setting(variable.removeprefix(PREFIX).lower().split("__")), variable
    for name in code(page).split("\n"):
        if SETTING.match(name) and is_section(name.partition(".")[0]) and not name.endswith((".py", ".yaml", ".db")):
            assert is_setting(name.split(".")), name


def is_setting(path: list[str], model: type[BaseModel] = Settings) -> bool:
    field = model.model_fields.get(path[0])
    if field is None or len(path) == 1:
        return field is not None
    inner = field.annotation
    return isinstance(inner, type) and issubclass(inner, BaseModel) and is_setting(path[1:], inner)


def is_section(name: str) -> bool:
    """Does a setting begin so? `retention.bytes` is another program's."""
    field = Settings.model_fields.get(name)
    return field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def test_commands_and_options_exist(page: Path) -> None:
    context = click.Context(main)
    for name, rest in COMMAND.findall(code(page)):
        command = main if name.startswith("-") else main.get_command(context, name)
        assert command is not None, f"tidewatch {name}"
        words = rest.split()
        if isinstance(command, click.Group) and command is not main and words:
            command = command.get_command(context, words[0])
            assert command is not None, f"tidewatch {name} {words[0]}"
        given = [word for word in [name, *words] if word.startswith("-")]
        known = {"--help", "-h", *(option for parameter in command.params for option in parameter.opts)}
        assert {word.partition("=")[0] for word in given} <= known, f"tidewatch {name}{rest}"


def test_make_targets_exist(page: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for target, variable in TARGET.findall(code(page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
        assert f"$({variable.strip(' =')})" in makefile or not variable, f"make {target}{variable}"


def test_metrics_exist(page: Path) -> None:
    own = {metric.name for registry in (metrics, alert_metrics) for metric in registry.REGISTRY.collect()}
    supervisor = (CHECKOUT / "infra/embedded/endpoints.py").read_text()
    for name in METRIC.findall(code(page)):
        family = name.removesuffix("_total")
        assert family in own or f'"{family}"' in supervisor, name


def test_messages_of_the_runbook_are_ours() -> None:
    """What stands in the first column of its tables, as code: all of it but the `…` is in the sources."""
    sources = "\n".join(map(Path.read_text, [*source_files(), CHECKOUT / "tidewatch"]))
    told = [span for row in first_column(CHECKOUT / "docs/runbook.md") for span in re.findall("`([^`]+)`", row)]
    assert len(told) > 20
    for message in told:
        for piece in message.split("…"):
            assert piece.strip() in sources, message


def first_column(page: Path) -> Iterator[str]:
    for line in page.read_text().splitlines():
        if line.startswith("| "):
            yield line.split("|")[1]


def source_files() -> Iterator[Path]:
    for room in ("alerts", "api", "cli", "contracts", "infra", "stores"):
        yield from (CHECKOUT / room).rglob("*.py")


def test_no_paths_of_other_machines(page: Path) -> None:
    for path in ("/work", "/tmp/w/", "/home/", "/root/", "shared/"):  # noqa: S108  # words, not files that are used
        assert path not in page.read_text()
