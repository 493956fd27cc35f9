"""Sets of rules: read from YAML, and as the records of topic `rules`.

The key of a record is `rule/<name>`, its value the rule as a JSON object. A record without a value deletes. What a file
has under `monitor` are rules as well: they are written out when it is read, and the topic knows no difference. Records
of other keys are no rules: see `watched_bins`.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
import yaml

from contracts.monitors import Monitor
from contracts.rules import CANARY, Rule

RULE_PREFIX: Final = "rule/"
SECTIONS: Final = ("monitor", "rules")
Titled = Iterator[tuple[str, Rule]]  # a rule, and what to call it in a message about it


class RulesError(Exception):
    """The rules cannot be used; the message lists each with what is wrong."""


class RuleSet(NamedTuple):
    """All rules, by name."""

    rules: dict[str, Rule]


class Change(NamedTuple):
    """What becomes of a record of the topic: `before` or `after` is None where there is none."""

    key: str
    before: bytes | None
    after: bytes | None


def parse(text: str, source: str) -> RuleSet:
    """The rules of a YAML text; RulesError names `source`, the rule and the field of everything that is wrong."""
    document = read_yaml(text, source)
    unknown = sorted(set(document) - set(SECTIONS), key=str)
    problems = [f"{source}: unknown section {key!r}; there are {', '.join(SECTIONS)}" for key in unknown]
    rules: dict[str, Rule] = {}
    for title, rule in chain(_monitors(document, source, problems), _rules(document, source, problems)):
        if rules.setdefault(rule.name, rule) is not rule:
            problems.append(f"{title}: there are two rules of this name")
        if rule.name == CANARY.name:
            problems.append(f"{title}: this name is the platform's own")
    if problems:
        raise RulesError("\n".join(problems))
    return RuleSet(rules)


def _monitors(document: dict[str, Any], source: str, problems: list[str]) -> Titled:
    for number, raw in enumerate(_listed(document, "monitor", source, problems), start=1):
        title = f"{source}: monitor {number}"
        monitor = _convert(raw, Monitor, title, problems)
        if monitor is not None:
            yield title, monitor.rule()


def _rules(document: dict[str, Any], source: str, problems: list[str]) -> Titled:
    for number, raw in enumerate(_listed(document, "rules", source, problems), start=1):
        title = f"{source}: rule {raw.get('name', number) if isinstance(raw, dict) else number}"
        rule = _convert(raw, Rule, title, problems)
        if rule is not None:
            yield title, rule


def read_yaml(text: str, source: str) -> dict[str, Any]:
    """The mapping in a YAML text; RulesError."""
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise RulesError(f"{source} is not YAML: {error}") from None
    if not isinstance(document, dict):
        raise RulesError(f"{source} must hold a mapping")
    return document


def _listed(document: dict[str, Any], key: str, source: str, problems: list[str]) -> list[Any]:
    value = document.get(key) or []
    if isinstance(value, list):
        return value
    problems.append(f"{source}: {key} must be a list")
    return []


def _convert(raw: Any, wanted: Any, title: str, problems: list[str]) -> Any:
    """`raw` as `wanted`, or None with its problem listed."""
    try:
        return msgspec.convert(raw, wanted)
    except msgspec.ValidationError as error:
        problems.append(f"{title}: {error}")
        return None


def to_records(rules: RuleSet) -> dict[str, bytes]:
    """What the topic holds of them: value by key."""
    return {f"{RULE_PREFIX}{name}": encode(rule) for name, rule in rules.rules.items()}


def from_records(records: dict[str, bytes]) -> tuple[RuleSet, list[str]]:
    """The rules that the topic holds, and what could not be read of it."""
    rules: dict[str, Rule] = {}
    problems = []
    for key, value in sorted(records.items()):
        if not key.startswith(RULE_PREFIX):
            continue  # of bins, or a list of when monitors were no rules, which the next `rules apply` deletes
        try:
            rule = decode(value)
        except msgspec.DecodeError as error:
            problems.append(f"record {key} of the topic: {error}")
        else:
            rules[rule.name] = rule
    return RuleSet(rules), problems


def encode(rule: Rule) -> bytes:
    """The value of a record."""
    return _encoder.encode(rule)


def decode(value: bytes) -> Rule:
    """The rule of a record; msgspec.DecodeError says what is wrong with it."""
    return _decoder.decode(value)


def changes(held: dict[str, bytes], wanted: dict[str, bytes]) -> list[Change]:
    """What turns the records that are held into those that are wanted, by key."""
    every = sorted(held.keys() | wanted.keys())
    found = [Change(key, held.get(key), wanted.get(key)) for key in every]
    return [change for change in found if change.before != change.after]


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final[msgspec.json.Decoder[Rule]] = msgspec.json.Decoder(Rule)
