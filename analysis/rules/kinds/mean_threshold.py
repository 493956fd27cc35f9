"""The mean of the last bins against a limit, of a value or of the ratio of a new build to an old one."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Final

from analysis.rules.kind import UNKNOWN, Cell, Kind, Verdict, limit, quiet_is_zero, stat_of
from analysis.rules.samples import Sample
from contracts.rules import MeanThreshold

SUMMARY: Final = (
    "Alert: Mean Threshold Exceeded; start: {start}; stop: {stop}; %s; value: {value}; threshold: {threshold}"
)


class MeanThresholdKind(Kind[MeanThreshold]):
    """A gap among the bins is left out of the mean; where quiet bins are zeros, as in ratios, they count as such."""

    def role(self, rule: MeanThreshold, place: int, labels: Mapping[str, str]) -> int | None:
        if rule.ratio is None:
            return place
        build = labels.get(rule.ratio.label, "")
        return {rule.ratio.new: 0, rule.ratio.old: 1}.get(build)

    def width(self, rule: MeanThreshold) -> int:
        return 1 if rule.ratio is None else 2

    def horizon(self, rule: MeanThreshold) -> int:
        return rule.bins

    def zero(self, rule: MeanThreshold) -> bool:
        return quiet_is_zero(rule) or (rule.ratio is not None and rule.quiet == "auto")

    def read(self, rule: MeanThreshold, sample: Sample) -> Cell | None:
        return (stat_of(rule, sample.bin),) if sample.bin.count else None

    def judge(self, rule: MeanThreshold, cells: Sequence[Cell]) -> Verdict:
        if len(cells) < rule.bins:
            return UNKNOWN
        values = [cell[0] / max(cell[1], 1.0) for cell in cells] if rule.ratio else [cell[0] for cell in cells]
        if isnan(values[-1]):
            return UNKNOWN
        known = [value for value in values if not isnan(value)]
        return limit(sum(known) / len(known), rule.threshold, rule.recovery)

    def summary(self, rule: MeanThreshold, labels: Mapping[str, str]) -> str:
        return SUMMARY % ("error code: {code}" if "code" in labels else "{labels}")


kind = MeanThresholdKind()
