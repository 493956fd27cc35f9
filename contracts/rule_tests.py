"""Unit tests of rules, as YAML: series go in, and at certain times certain alerts must be firing."""

from pathlib import PurePath
from typing import Any

import msgspec

from contracts.rule_sets import RulesError, read_yaml
from contracts.rules import Duration
from contracts.selectors import Strict
from contracts.times import parse_instant

START = "2022-03-01T00:00:00Z"


class Series(Strict, frozen=True, kw_only=True):
    """A value a bin, in the notation of `analysis/rules/notation.py`; `scores` and `expected` for anomalies."""

    metric: str
    labels: dict[str, str] = {}
    values: str
    scores: str = ""
    expected: str = ""


class Firing(Strict, frozen=True, kw_only=True):
    """An alert that fires: those of its fields that are given must be so, `labels` among the alert's."""

    labels: dict[str, str] = {}
    value: float | None = None
    severity: str | None = None
    starts_at: Duration | None = None
    summary: str | None = None


class Expectation(Strict, frozen=True, kw_only=True):
    """So long after the start exactly these alerts of the rule are firing."""

    at: Duration
    rule: str
    firing: tuple[Firing, ...] = ()


class RuleTest(Strict, frozen=True, kw_only=True):
    """Series from `start` on, a value each `bin`."""

    name: str
    start: str = START
    bin: Duration = "1m"
    series: tuple[Series, ...] = ()
    alerts: tuple[Expectation, ...]

    def __post_init__(self) -> None:
        parse_instant(self.start)


class RuleTests(Strict, frozen=True, kw_only=True):
    """A file of tests; `rules` is the file under test, beside it."""

    rules: str
    tests: tuple[RuleTest, ...]


def parse(text: str, source: str) -> RuleTests:
    """The tests of a YAML text; RulesError names `source`, the test and the field that is wrong."""
    document = read_yaml(text, source)
    listed = document.get("tests")
    for number, raw in enumerate(listed if isinstance(listed, list) else [], start=1):
        title = raw.get("name", number) if isinstance(raw, dict) else number
        _convert(raw, RuleTest, f"{source}: test {title}")
    found: RuleTests = _convert(document, RuleTests, source)
    return found


def rules_path(tests: RuleTests, source: str) -> PurePath:
    """Of the file under test, from the path of the file of tests."""
    return PurePath(source).parent / tests.rules


def _convert(raw: Any, wanted: Any, title: str) -> Any:
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        raise RulesError(f"{title}: {error}") from None
