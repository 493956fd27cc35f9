"""Unit tests of rules in YAML: the notation, what a failure says, and that the shipped ones hold and can fail."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.rules.notation import expand
from cli.main import main
from contracts.rule_sets import RulesError
from contracts.rule_tests import parse

SHIPPED = Path(__file__).parents[2] / "alerts"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 2.5 -3", [1, 2.5, -3]),
        ("5x2", [5, 5, 5]),
        ("1+2x3", [1, 3, 5, 7]),
        ("9-2.5x2", [9, 6.5, 4]),
        ("-1-1x1", [-1, -2]),
        ("_ 1 _x2", [None, 1, None, None]),
        ("1e3", [1000]),
        ("", []),
    ],
)
def test_the_notation_is_that_of_promtool(text: str, wanted: list[float | None]) -> None:
    assert expand(text) == wanted


@pytest.mark.parametrize("text", ["x3", "1+2", "one", "1x-1", "5x99999999"])
def test_what_is_no_series_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        expand(text)


def run(path: Path) -> tuple[int, str]:
    answer = CliRunner().invoke(main, ["rules", "test", str(path)])
    return answer.exit_code, answer.output


def test_the_shipped_rules_pass_their_tests() -> None:
    assert run(SHIPPED / "rules_tests.yml") == (0, "10 tests, 0 expectations not met\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("direction: drop", "direction: spike"),
        ("min_deviation: 20", "min_deviation: 1"),
        ("for: 10m", "for: 9m"),
        ("by: [host]", "by: []"),
        ("threshold: 1.25", "threshold: 1.35"),
        ("keep_firing_for: 30s", "keep_firing_for: 20s"),
        ("recovery: 85", "recovery: 89"),
        ("above: 90\n", "above: 98\n"),
        ("direction: spike", "direction: drop"),
        ("name: hosts-unusual, severity: info, score: 6", "name: hosts-unusual, severity: info, score: 10"),
    ],
)
def test_a_shipped_rule_that_is_changed_fails_its_test(tmp_path: Path, before: str, after: str) -> None:
    text = (SHIPPED / "rules.yml").read_text()
    assert before in text
    (tmp_path / "rules.yml").write_text(text.replace(before, after, 1))
    (tmp_path / "rules_tests.yml").write_text((SHIPPED / "rules_tests.yml").read_text())
    status, output = run(tmp_path / "rules_tests.yml")
    assert status == 1, output
    assert "should" in output


def test_a_failure_says_what_is_firing(tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text("rules: [{name: r, kind: threshold, select: {metric: m}, above: 1}]")
    (tmp_path / "t.yml").write_text(
        """
rules: r.yml
tests:
  - name: one
    series: [{metric: m, labels: {a: b}, values: "5"}]
    alerts:
      - {at: 1m, rule: r, firing: [{value: 6}]}
      - {at: 1m, rule: r}
"""
    )
    status, output = run(tmp_path / "t.yml")
    assert (status, output.splitlines()) == (
        1,
        [
            "one: at 1m r should fire with value 6.0; firing: {'metric': 'm', 'a': 'b'} value 5.0",
            "one: at 1m r should not fire: {'metric': 'm', 'a': 'b'} value 5.0",
            "one: at 1m r should not fire: {'metric': 'm', 'a': 'b'} value 5.0",
            "1 tests, 3 expectations not met",
        ],
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: r.yml\ntests: [{name: one, alerts: [], colour: red}]", "t.yml: test one.*colour"),
        ("rules: r.yml\ntests: [{name: one, alerts: [], start: today}]", "t.yml: test one.*RFC 3339"),
        ("tests: []", "t.yml.*rules"),
    ],
)
def test_what_is_wrong_with_a_test_is_named(text: str, says: str) -> None:
    with pytest.raises(RulesError, match=says):
        parse(text, "t.yml")
