"""A value above, or below, a limit."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import cast

from analysis.rules.kind import UNKNOWN, Cell, Kind, Verdict, quiet_is_zero, stat_of
from analysis.rules.samples import Sample
from contracts.rules import Threshold


class ThresholdKind(Kind[Threshold]):
    """Strictly beyond the limit is a breach; over is what is not beyond `recovery`."""

    def zero(self, rule: Threshold) -> bool:
        return quiet_is_zero(rule)

    def read(self, rule: Threshold, sample: Sample) -> Cell | None:
        return (stat_of(rule, sample.bin),) if sample.bin.count else None

    def judge(self, rule: Threshold, cells: Sequence[Cell]) -> Verdict:
        value = cells[-1][0]
        if isnan(value):
            return UNKNOWN
        if rule.above is not None:
            back = rule.above if rule.recovery is None else rule.recovery
            return Verdict(value > rule.above, value <= back, value=value, threshold=rule.above)
        below = cast(float, rule.below)
        back = below if rule.recovery is None else rule.recovery
        return Verdict(value < below, value >= back, value=value, threshold=below)

    def summary(self, rule: Threshold, labels: Mapping[str, str]) -> str:
        side = "above" if rule.above is not None else "below"
        return f"{{value}} is {side} {{threshold}}; {{labels}}"


kind = ThresholdKind()
