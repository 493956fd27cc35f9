"""The YAML of rules: what is wrong is named by file, rule and field; what is right comes back from the topic."""

from dataclasses import dataclass
from typing import Any, cast, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.alerts import Kind
from contracts.matchers import parse as parse_matcher
from contracts.rule_sets import RulesError, RuleSet, changes, from_records, parse, to_records
from contracts.rules import Anomaly, milliseconds
from contracts.selectors import Selector

LOAD = {"metric": "load"}
GOOD: dict[str, dict[str, Any]] = {
    "threshold": {"select": LOAD, "above": 9, "recovery": 8, "for": "5m", "keep_firing_for": "1h30m"},
    "mean_threshold": {"select": LOAD, "ratio": {"label": "build", "new": "2", "old": "1"}},
    "anomaly": {"select": LOAD, "direction": "drop", "min_deviation": 3},
    "absent": {"select": {"match": ["host=~.+"]}, "by": ["host"], "expect": [{"host": "a"}]},
    "burn_rate": {"bad": LOAD, "total": {"metric": "all"}, "objective": 0.999},
    "pattern": {"pattern": "checkout_broken"},
    "blind": {"after": "3m"},
}


def text_of(*rules: dict[str, Any], **sections: Any) -> str:
    return yaml.safe_dump({"rules": list(rules), **sections})


def rule_of(kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": f"a-{kind}", "kind": kind, **GOOD[kind], **fields}


def test_every_kind_comes_back_from_the_topic() -> None:
    every = [rule_of(kind) for kind in GOOD]
    rules = parse(text_of(*every), "f.yml")
    assert {rule.kind for rule in rules.rules.values()} == set(GOOD) == set(get_args(Kind)) - {"external"}
    assert from_records(to_records(rules)) == (rules, [])


def test_what_is_monitored_has_a_rule_with_defaults_that_may_be_changed() -> None:
    rare = {"metric": "disk use", "score": 8, "direction": "spike", "min_deviation": 2, "severity": "info"}
    matched: dict[str, Any] = {"match": ["__name__=~host_.*"]}
    monitor = [LOAD, rare, matched, {**matched, "name": "hosts", "summary": "{host}"}]
    rules = parse(text_of(monitor=monitor), "f.yml").rules
    select, hosts = Selector(metric="load"), Selector(match=("__name__=~host_.*",))
    load, disk, anonymous, named = (cast(Anomaly, rule) for rule in rules.values())
    assert load == Anomaly(name="monitor-load", select=select)
    assert (load.severity, load.score, load.direction, load.min_deviation) == ("warning", 5, "both", 0)
    assert (disk.name, disk.select) == ("monitor-disk-use", Selector(metric="disk use"))
    assert (disk.severity, disk.score, disk.direction, disk.min_deviation) == ("info", 8, "spike", 2)
    assert anonymous.name.startswith("monitor-") and anonymous == Anomaly(name=anonymous.name, select=hosts)
    assert named == Anomaly(name="hosts", select=hosts, summary="{host}")
    assert anonymous in parse(text_of(monitor=[matched]), "f.yml").rules.values(), "whatever else is listed"
    assert from_records({"monitor": b'[{"metric":"load"}]', **to_records(RuleSet(rules))}) == (RuleSet(rules), [])


def test_what_is_wrong_with_a_monitor_is_named() -> None:
    monitor = [{"metric": "a", "direction": "up"}, {"metric": "a", "colour": 1}, {"match": ["a=b"], "name": "canary"}]
    with pytest.raises(RulesError) as raised:
        parse(text_of(monitor=[*monitor, LOAD, LOAD]), "f.yml")
    found = [line.split(": ", 2)[1:] for line in str(raised.value).splitlines()]
    assert [title for title, _ in found] == ["monitor 1", "monitor 2", "monitor 3", "monitor 5"]
    for word, (_, reason) in zip(["direction", "colour", "platform's own", "two rules"], found, strict=True):
        assert word in reason


@dataclass(frozen=True)
class Wrong:
    """A kind, fields that make it wrong, and what the message says."""

    kind: str
    fields: dict[str, Any]
    says: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("threshold", {"colour": "red"}, "colour"),
        Wrong("threshold", {"select": {"metric": "x", "labels": {}}}, r"labels.*select"),
        Wrong("threshold", {"above": "high"}, r"\$\.above"),
        Wrong("threshold", {"below": 3}, "either above or below"),
        Wrong("threshold", {"recovery": 10}, "recovery must lie on the good side"),
        Wrong("threshold", {"for": "5 minutes"}, r"\$\.for"),
        Wrong("threshold", {"severity": "loud"}, r"\$\.severity"),
        Wrong("threshold", {"bin": "15s"}, "bin must be a multiple of 10s"),
        Wrong("threshold", {"select": {}}, r"would select everything.*\$\.select"),
        Wrong("threshold", {"select": {"metric": "x", "match": ["a>b"]}}, r"not a matcher .*'a>b'"),
        Wrong("threshold", {"select": {"metric": "x", "match": ["a=~("]}}, "not a regular expression"),
        Wrong("threshold", {"name": "two words"}, r"\$\.name"),
        Wrong("threshold", {"kind": "treshold"}, "treshold"),
        Wrong("mean_threshold", {"bins": 0}, r"\$\.bins"),
        Wrong("mean_threshold", {"ratio": {"label": "b", "new": "1", "old": "1"}}, "the same"),
        Wrong("mean_threshold", {"select": {"metric": "user_tags_buys"}}, "set bin to 1m"),
        Wrong("anomaly", {"direction": "up"}, r"\$\.direction"),
        Wrong("absent", {"expect": [{"zone": "a"}]}, "labels of by"),
        Wrong("burn_rate", {"objective": 99.9}, r"\$\.objective"),
        Wrong("burn_rate", {"windows": [{"long": "1m", "short": "5m", "factor": 1}]}, "short must be"),
        Wrong("burn_rate", {"total": {"metric": "user_tags_buys"}}, "cannot be put together"),
    ],
    ids=lambda wrong: f"{wrong.kind}-{next(iter(wrong.fields))}-{wrong.says[:20]}",
)
def test_what_is_wrong_is_named(wrong: Wrong) -> None:
    rule = {**rule_of(wrong.kind), **wrong.fields}
    with pytest.raises(RulesError, match=wrong.says) as raised:
        parse(text_of(rule), "mine.yml")
    assert str(raised.value).startswith(f"mine.yml: rule {rule['name']}: ")


def test_all_that_is_wrong_is_listed_at_once() -> None:
    bad: list[Any] = [
        rule_of("threshold", above=None),
        {"kind": "blind"},
        rule_of("blind"),
        rule_of("blind"),
        "no rule",
    ]
    with pytest.raises(RulesError) as raised:
        parse(text_of(*bad, monitor=[{}], groups=[]), "mine.yml")
    lines = str(raised.value).splitlines()
    assert len(lines) == 6
    for number, word in enumerate(["groups", "monitor 1", "a-threshold", "rule 2", "a-blind", "rule 5"]):
        assert word in lines[number]


@pytest.mark.parametrize("text", ["- a", "a: [", "rules: 3"])
def test_what_is_no_set_of_rules_is_said(text: str) -> None:
    with pytest.raises(RulesError, match="mine.yml"):
        parse(text, "mine.yml")


def test_changes_are_what_differs() -> None:
    before = to_records(parse(text_of(rule_of("threshold"), rule_of("blind")), "f"))
    after = to_records(parse(text_of(rule_of("threshold", above=10), rule_of("anomaly")), "f"))
    found = changes(before, after)
    assert [(change.key, change.before is None, change.after is None) for change in found] == [
        ("rule/a-anomaly", True, False),
        ("rule/a-blind", False, True),
        ("rule/a-threshold", False, False),
    ]
    assert changes(after, after) == []


def test_a_record_that_is_no_rule_is_told_and_left_out() -> None:
    records = to_records(parse(text_of(rule_of("blind")), "f"))
    rules, problems = from_records({**records, "rule/x": b'{"kind":"blind","name":"x","volume":3}'})
    assert list(rules.rules) == ["a-blind"]
    assert len(problems) == 1
    assert "rule/x" in problems[0]


@pytest.mark.parametrize(
    ("text", "wanted"), [("90s", 90_000), ("1h30m", 5_400_000), ("500ms", 500), ("2d", 172_800_000)]
)
def test_durations(text: str, wanted: int) -> None:
    assert milliseconds(text) == wanted


@pytest.mark.parametrize(
    ("text", "value", "meets"),
    [
        ("a=x", "x", True),
        ("a = x", "x", True),
        ("a=x", "xx", False),
        ("a!=x", "", True),
        ("a=", "", True),
        ('a="x y"', "x y", True),
        ("a=~x|y", "y", True),
        ("a=~x|y", "yx", False),
        ("a!~x.*", "y", True),
        ('a=~"-1[0-7]"', "-17", True),
        ('a="=~"', "=~", True),
    ],
)
def test_matchers(text: str, value: str, meets: bool) -> None:
    assert parse_matcher(text).holds({"a": value} if value else {}) is meets


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")), st.sampled_from(["load", "other"]))
def test_a_selector_selects_by_metric_labels_and_their_names(labels: dict[str, str], metric: str) -> None:
    def selects(**fields: Any) -> bool:
        return Selector(**fields).compile()(metric, labels)

    assert selects(metric="load") is (metric == "load")
    assert selects(match=("__name__=~lo.*", "a=x")) is (metric == "load" and labels.get("a") == "x")
    assert selects(metric=metric, label_names=("a", "b")) is (set(labels) == {"a", "b"})
    assert selects(metric=metric, label_names=()) is (not labels)


def test_the_canary_is_the_platforms_own() -> None:
    with pytest.raises(RulesError, match=r"f.yml: rule canary: this name is the platform's own"):
        parse(text_of(rule_of("threshold", name="canary")), "f.yml")
