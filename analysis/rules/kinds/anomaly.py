"""The detector's score, direction, and how far from what was expected."""

from collections.abc import Mapping, Sequence
from math import isnan

from analysis.rules.kind import UNKNOWN, Cell, Kind, Verdict
from analysis.rules.samples import Sample
from contracts.rules import Anomaly


class AnomalyKind(Kind[Anomaly]):
    """The numbers of a bin are value, score and expected value."""

    def width(self, rule: Anomaly) -> int:
        return 3

    def read(self, rule: Anomaly, sample: Sample) -> Cell | None:
        """The detector fills in the quiet bins of what is counted, and scores them: they are judged, too."""
        return float(sample.bin.value), sample.score, sample.expected

    def judge(self, rule: Anomaly, cells: Sequence[Cell]) -> Verdict:
        value, score, expected = cells[-1]
        if isnan(score):
            return UNKNOWN
        breach = score >= rule.score and self._matters(rule, value - expected)
        known = None if isnan(expected) else expected
        return Verdict(breach, not breach, value=value, expected=known, threshold=rule.score, score=score)

    def _matters(self, rule: Anomaly, deviation: float) -> bool:
        """Where nothing was expected, any direction and deviation does."""
        if isnan(deviation):
            return True
        wanted = {"spike": deviation > 0, "drop": deviation < 0, "both": True}[rule.direction]
        return wanted and abs(deviation) >= rule.min_deviation

    def summary(self, rule: Anomaly, labels: Mapping[str, str]) -> str:
        return "{value} where {expected} was expected, score {score}; {labels}"


kind = AnomalyKind()
