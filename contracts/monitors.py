"""`monitor:` in a file of rules: what the detector finds of these series is told, without a rule that says how."""

import re
from hashlib import blake2b
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from contracts.alerts import Severity
from contracts.rules import SCORE, Anomaly, Duration, Name
from contracts.selectors import Selector

_PREFIX: Final = "monitor-"
_OTHERS: Final = re.compile(r"[^A-Za-z0-9_.-]+")  # what a name of a rule must not have


class Monitor(Selector, frozen=True, kw_only=True):
    """A selector, and what of the rule that it stands for should be otherwise."""

    name: Name | None = None
    severity: Severity = "warning"
    score: Annotated[float, Meta(gt=0)] = SCORE
    direction: Literal["spike", "drop", "both"] = "both"
    min_deviation: Annotated[float, Meta(ge=0)] = 0.0
    keep_firing_for: Duration = "5m"
    summary: str = ""
    runbook: str = ""

    def rule(self) -> Anomaly:
        """Of kind `anomaly`; without a name of its own it is called by the metric, or by a digest of the matchers, so
        that it is the same rule however the list changes around it."""
        return Anomaly(
            name=self.name or self._called,
            select=Selector(metric=self.metric, match=self.match, label_names=self.label_names),
            severity=self.severity,
            score=self.score,
            direction=self.direction,
            min_deviation=self.min_deviation,
            keep_firing_for=self.keep_firing_for,
            summary=self.summary,
            runbook=self.runbook,
        )

    @property
    def _called(self) -> str:
        if self.metric and not self.match and self.label_names is None:
            return _PREFIX + _OTHERS.sub("-", self.metric)[:100]
        selected = msgspec.json.encode([self.metric, self.match, self.label_names])
        return _PREFIX + blake2b(selected, digest_size=4).hexdigest()
