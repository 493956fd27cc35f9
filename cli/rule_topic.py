"""The topic `rules`, and rules in words."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import click
import msgspec
from confluent_kafka import KafkaException

from contracts.rule_sets import Change, parse, to_records
from contracts.rules import SHORTEST_BIN_MS, Common, selectors
from contracts.selectors import Selector
from contracts.settings import Settings
from infra import topic_records

SHIPPED: Final = Path(__file__).parents[1] / "alerts" / "rules.yml"


def read(settings: Settings) -> dict[str, bytes]:
    """The newest value of each key; ClickException when the broker does not tell."""
    records: dict[str, bytes] = {}
    try:
        for message in topic_records.held(settings, settings.topics.rules):
            key, value = (message.key() or b"").decode(), message.value()
            if value is None:
                records.pop(key, None)
            else:
                records[key] = value
    except KafkaException as error:
        raise click.ClickException(
            f"the broker at {settings.bootstrap_servers} does not show the rules: {error}; see `tidewatch status`"
        ) from None
    return records


def write(settings: Settings, records: Mapping[str, bytes | None]) -> None:
    """ClickException when not all are acknowledged."""
    try:
        topic_records.write(settings, settings.topics.rules, records)
    except KafkaException as error:
        raise click.ClickException(f"not all rules were written, apply them again: {error}") from None


def ship(settings: Settings) -> None:
    """Puts the shipped rules in force where none ever were; KafkaException when the broker does not take them."""
    topic = settings.topics.rules
    if topic_records.written(settings, topic) == 0:
        rules = parse(SHIPPED.read_text(), str(SHIPPED))
        topic_records.write(settings, topic, to_records(rules))


def words(change: Change) -> str:
    """`+`, `-` or `~`, the key, and of what is changed each field before and after."""
    if change.before is None:
        return f"+ {change.key}"
    if change.after is None:
        return f"- {change.key}"
    before, after = msgspec.json.decode(change.before), msgspec.json.decode(change.after)
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return f"~ {change.key}"
    fields = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    told = [f"{name}: {before.get(name, 'default')} -> {after.get(name, 'default')}" for name in fields]
    return f"~ {change.key}  {'; '.join(told)}"


def without_bins(rules: Mapping[str, Common], ten_second_metrics: Collection[str]) -> list[str]:
    """A line for each rule that judges bins of ten seconds of a metric that has none, and so would never hold."""
    return [
        f"rule {name} judges bins of {rule.bin}, which {selector.metric} has only when "
        "the setting jobs.ten_second_metrics names it"
        for name, rule in rules.items()
        if rule.source_ms == SHORTEST_BIN_MS
        for selector in selectors(rule)
        if selector.metric and selector.metric not in ten_second_metrics
    ]


def watched(rule: Common) -> str:
    """The series of a rule, in words."""
    return " / ".join(map(selector_words, selectors(rule))) or "progress"


def selector_words(selector: Selector) -> str:
    """Nearly as in PromQL."""
    names = [] if selector.label_names is None else [f"labels: {'+'.join(selector.label_names) or 'none'}"]
    conditions = [*selector.match, *names]
    return selector.metric + (f"{{{', '.join(conditions)}}}" if conditions else "")
