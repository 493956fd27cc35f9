"""The topic `rules`, and rules in words."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import msgspec
from confluent_kafka import KafkaException

from contracts import watched_bins
from contracts.rule_sets import Change, RuleSet, from_records, parse, to_records
from contracts.rules import Common, selectors
from contracts.selectors import Selector
from contracts.settings import Settings
from contracts.times import DAY_MS, format_seconds
from contracts.watched_bins import BINS_PREFIX
from infra import topic_records
from jobs import consumers

GROUP: Final = "tidewatch-rules"
SHIPPED: Final = Path(__file__).parents[1] / "alerts" / "rules.yml"


def read(settings: Settings) -> dict[str, bytes]:
    """The newest value of each key; ClickException when the broker does not tell."""
    try:
        return consumers.newest(settings, settings.topics.rules, GROUP)
    except KafkaException as error:
        raise click.ClickException(
            f"the broker at {settings.bootstrap_servers} does not show the rules: {error}; see `tidewatch status`"
        ) from None


def write(settings: Settings, records: Mapping[str, bytes | None]) -> None:
    """ClickException when not all are acknowledged."""
    try:
        topic_records.write(settings, settings.topics.rules, records)
    except KafkaException as error:
        raise click.ClickException(f"not all rules were written, apply them again: {error}") from None


def wanted(settings: Settings, held: Mapping[str, bytes], rules: RuleSet) -> dict[str, bytes]:
    """What the topic, which holds `held`, is to hold so that these rules are in force: they, and the bins that they ask
    for. To be written at once, as these begin a moment from now."""
    now = time.time_ns() // 1_000_000
    metrics = watched_bins.watched(rules.rules.values())
    oldest = now - settings.clickhouse.points_days * DAY_MS
    return to_records(rules) | watched_bins.to_records(held, metrics, now, oldest)


def ship(settings: Settings) -> None:
    """Puts the shipped rules in force where none ever were. Where there are some, brings the bins that they ask for, if
    whoever put them in force did not know of such. KafkaException when the broker does not take them."""
    topic = settings.topics.rules
    if topic_records.written(settings, topic) == 0:
        records = wanted(settings, {}, parse(SHIPPED.read_text(), str(SHIPPED)))
    else:
        held = consumers.newest(settings, topic, GROUP)
        rules, _ = from_records(held)
        records = {
            key: value
            for key, value in wanted(settings, held, rules).items()
            if key.startswith(BINS_PREFIX) and key not in held
        }
    topic_records.write(settings, topic, records)


def words(change: Change) -> str:
    """`+`, `-` or `~`, the key, and of what is changed each field before and after; of bins, from when on."""
    if change.key.startswith(BINS_PREFIX) and change.after is not None:
        return _words_of_bins(change, watched_bins.decode(change.after))
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


def _words_of_bins(change: Change, after: watched_bins.Spans) -> str:
    found, _ = watched_bins.from_records({change.key: change.before or b""})
    before = found.get(change.key.removeprefix(BINS_PREFIX), ())
    if watched_bins.is_open(before) == watched_bins.is_open(after):
        return f"~ {change.key}  of ten seconds: what is over is forgotten"
    sign, at = ("+", after[-1].start) if watched_bins.is_open(after) else ("-", after[-1].before)
    return f"{sign} {change.key}  of ten seconds from {format_seconds(at)}Z on"


def watched(rule: Common) -> str:
    """The series of a rule, in words."""
    return " / ".join(map(selector_words, selectors(rule))) or "progress"


def selector_words(selector: Selector) -> str:
    """Nearly as in PromQL."""
    names = [] if selector.label_names is None else [f"labels: {'+'.join(selector.label_names) or 'none'}"]
    conditions = [*selector.match, *names]
    return selector.metric + (f"{{{', '.join(conditions)}}}" if conditions else "")
