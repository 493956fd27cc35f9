"""`tidewatch rules`: what is watched for what: put in force, listed, tested, tried on history."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contracts.rule_sets import RuleSet

EXAMPLES = """
\b
Examples:
  tidewatch rules apply alerts/rules.yml             validate, show what changes, put it in force
  tidewatch rules apply alerts/rules.yml --dry-run   only show it
  tidewatch rules list                               what is in force
  tidewatch rules test alerts/rules_tests.yml        run unit tests of rules; exit status 1 when one fails
  tidewatch rules replay alerts/rules.yml --from 2022-03-01T00:00:00Z --to 2022-03-02T00:00:00Z
                                                     what would have fired, and when

Rules that are in force are records of the topic `rules`; no job restarts when they change.
"""
YAML = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(epilog=EXAMPLES)
def command() -> None:
    """Rules that are in force; their unit tests; what they would have said of the past."""


@command.command()
@click.argument("file", type=YAML)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def apply(file: Path, dry_run: bool) -> None:
    """Make the rules of FILE those that are in force: validates, shows the difference, writes it."""
    from cli import rule_topic
    from contracts.rule_sets import changes
    from contracts.settings_source import load

    settings, rules = load(), _read(file)
    held = rule_topic.read(settings)
    found = changes(held, rule_topic.wanted(settings, held, rules))
    for change in found:
        click.echo(rule_topic.words(change))
    if not found:
        click.echo("nothing changes")
    elif not dry_run:
        rule_topic.write(settings, {change.key: change.after for change in found})
        click.echo(f"{len(found)} changes are in force")


@command.command("list")
def list_() -> None:
    """The rules that are in force."""
    from cli import rule_topic
    from contracts.rule_sets import from_records
    from contracts.settings_source import load

    rules, problems = from_records(rule_topic.read(load()))
    for name, rule in rules.rules.items():
        click.echo(f"{name:32} {rule.kind:15} {rule.severity:9} {rule_topic.watched(rule)}")
    click.echo("\n".join([*problems, f"{len(rules.rules)} rules"]))


@command.command()
@click.argument("file", type=YAML)
def test(file: Path) -> None:
    """Run the unit tests of rules in FILE. Needs no platform."""
    from analysis.rules.unit_tests import failures
    from contracts import rule_tests

    tests = rule_tests.parse(file.read_text(), str(file))
    rules = _read(Path(rule_tests.rules_path(tests, str(file))))
    found = [line for one in tests.tests for line in failures(one, rules.rules)]
    for line in found:
        click.echo(line)
    click.echo(f"{len(tests.tests)} tests, {len(found)} expectations not met")
    if found:
        raise SystemExit(1)


@command.command()
@click.argument("file", type=YAML)
@click.option("--from", "begin", required=True, metavar="TIME", help="Such as 2022-03-01T00:00:00Z.")
@click.option("--to", "end", required=True, metavar="TIME", help="As --from; not included.")
def replay(file: Path, begin: str, end: str) -> None:
    """What the rules of FILE would have said of the time between --from and --to, by what ClickHouse holds of it."""
    from analysis.rules.engine import Engine
    from analysis.rules.state import State
    from cli import rule_history
    from cli.alert_feed import words
    from contracts.settings_source import load

    rules, settings = _read(file).rules, load()
    first, last = _time("--from", begin), _time("--to", end)
    for name in rule_history.without_history(rules):
        click.echo(f"{name}: nothing is kept by which its kind could be judged; left out", err=True)
    scored = rule_history.scored(rules)
    others = {name: rule for name, rule in rules.items() if name not in scored}
    engines = Engine(others), Engine(scored)
    states, fired = (State(), State()), 0
    minutes = zip(
        rule_history.read_bins(settings, first, last), rule_history.read_scores(settings, first, last), strict=True
    )
    for pasts in minutes:
        for engine, state, messages in zip(engines, states, pasts, strict=True):
            for alert in engine.evaluate(state, messages)[1]:
                fired += alert.status == "firing"
                click.echo(words(alert))
    click.echo(f"{fired} alerts would have fired")


def _read(file: Path) -> "RuleSet":
    """RulesError names what is wrong, also a pattern that there is not."""
    from contracts.rule_sets import RulesError, parse
    from contracts.rules import Pattern

    rules = parse(file.read_text(), str(file))
    for name, rule in rules.rules.items():
        if isinstance(rule, Pattern) and rule.pattern not in (patterns := _patterns()):
            there = ", ".join(patterns) or "none"
            raise RulesError(f"{file}: rule {name}: no pattern {rule.pattern!r} in sql/patterns; there are: {there}")
    return rules


def _patterns() -> list[str]:
    import sql

    return [name.removeprefix("patterns/") for name in sql.names("patterns")]


def _time(option: str, text: str) -> int:
    from contracts.times import parse_instant

    try:
        return parse_instant(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
