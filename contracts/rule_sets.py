"""Sets of rules: read from YAML, and as the records of topic `rules`.

The key of a record is `rule/<name>`, its value the rule as a JSON object; the key `monitor` holds the list of what is
meant to be watched. A record without a value deletes.
"""

from typing import Any, Final, NamedTuple

import msgspec
import yaml

from contracts.rules import CANARY, Rule
from contracts.selectors import Selector

MONITOR_KEY: Final = "monitor"
RULE_PREFIX: Final = "rule/"
SECTIONS: Final = ("monitor", "rules")


class RulesError(Exception):
    """The rules cannot be used; the message lists each with what is wrong."""


class RuleSet(NamedTuple):
    """All rules, by name, and what is meant to be watched besides the user-tag series."""

    rules: dict[str, Rule]
    monitor: tuple[Selector, ...] = ()


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
    monitor: list[Selector] = []
    for number, raw in enumerate(_listed(document, "monitor", source, problems), start=1):
        if isinstance(found := _convert(raw, Selector, f"{source}: monitor {number}", problems), Selector):
            monitor.append(found)
    rules: dict[str, Rule] = {}
    for number, raw in enumerate(_listed(document, "rules", source, problems), start=1):
        title = f"{source}: rule {raw.get('name', number) if isinstance(raw, dict) else number}"
        rule = _convert(raw, Rule, title, problems)
        if rule is not None and rules.setdefault(rule.name, rule) is not rule:
            problems.append(f"{title}: there are two rules of this name")
        if rule is not None and rule.name == CANARY.name:
            problems.append(f"{title}: this name is the platform's own")
    if problems:
        raise RulesError("\n".join(problems))
    return RuleSet(rules, tuple(monitor))


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
    records = {f"{RULE_PREFIX}{name}": encode(rule) for name, rule in rules.rules.items()}
    if rules.monitor:
        records[MONITOR_KEY] = _encoder.encode(rules.monitor)
    return records


def from_records(records: dict[str, bytes]) -> tuple[RuleSet, list[str]]:
    """The rules that the topic holds, and what could not be read of it."""
    rules: dict[str, Rule] = {}
    monitor: tuple[Selector, ...] = ()
    problems = []
    for key, value in sorted(records.items()):
        try:
            if key == MONITOR_KEY:
                monitor = _monitor_decoder.decode(value)
            else:
                rule = decode(value)
                rules[rule.name] = rule
        except msgspec.DecodeError as error:
            problems.append(f"record {key} of the topic: {error}")
    return RuleSet(rules, monitor), problems


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
_monitor_decoder: Final = msgspec.json.Decoder(tuple[Selector, ...])
