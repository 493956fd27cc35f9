"""The alerts that rules send, and the templates of their summaries and links.

A template holds `{name}`: a number of the verdict (value, expected, threshold, score), start, stop, rule, severity,
labels (all of them), or the name of any label. What is not there is shown as `-`.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from analysis.rules import kind
from analysis.rules.kind import Verdict
from contracts.alerts import Alert, alert_id
from contracts.rules import Common
from contracts.times import format_seconds

LONGEST: Final = 4096  # of a summary or link
NOTHING: Final = "-"
_PLACE: Final = re.compile(r"\{([^{}]+)\}")


def firing(rule: Common, group: Mapping[str, str], starts_at: int, verdict: Verdict) -> Alert:
    """The alert of this group that begins at `starts_at`."""
    labels = {**group, **rule.labels}
    return _filled(
        rule,
        Alert(
            id=alert_id(rule.name, labels, starts_at),
            rule=rule.name,
            kind=rule.kind,
            labels=labels,
            severity=rule.severity,
            status="firing",
            starts_at=starts_at,
            summary="",
            runbook=rule.runbook[:LONGEST],
        ),
        verdict,
    )


def resolved(rule: Common, alert: Alert, ends_at: int, verdict: Verdict) -> Alert:
    """The same alert, over since `ends_at`: id, labels and severity are those with which it began."""
    return _filled(rule, replace(alert, status="resolved", ends_at=ends_at), verdict)


def dropped(alert: Alert, ends_at: int, reason: str) -> Alert:
    """The alert is over because nobody judges it any more."""
    return replace(alert, status="resolved", ends_at=ends_at, summary=f"{alert.summary} ({reason})"[:LONGEST])


def _filled(rule: Common, alert: Alert, verdict: Verdict) -> Alert:
    judged = replace(
        alert, value=verdict.value, expected=verdict.expected, threshold=verdict.threshold, score=verdict.score
    )
    values = _values(judged)
    template = rule.summary or kind.find(rule.kind).summary(rule, alert.labels)
    links = {name: quote(value, safe="") for name, value in values.items()}
    return replace(judged, summary=fill(template, values), link=fill(rule.link, links))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its places filled."""
    return _PLACE.sub(lambda place: values.get(place[1], NOTHING), template)[:LONGEST]


def _values(alert: Alert) -> dict[str, str]:
    numbers = {name: getattr(alert, name) for name in ("value", "expected", "threshold", "score")}
    return {
        **alert.labels,
        **{name: NOTHING if number is None else f"{number:.6g}" for name, number in numbers.items()},
        "labels": ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items())) or NOTHING,
        "rule": alert.rule,
        "severity": alert.severity,
        "start": f"{format_seconds(alert.starts_at)}Z",
        "stop": NOTHING if alert.ends_at is None else f"{format_seconds(alert.ends_at)}Z",
    }
