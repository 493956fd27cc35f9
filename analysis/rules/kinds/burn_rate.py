"""How fast an error budget is used up: the share of bad events over that which the objective allows.

Multiwindow, multi-burn-rate alerts, from Google's SRE workbook, chapter 5:
https://sre.google/workbook/alerting-on-slos/
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from analysis.rules.kind import Cell, Kind, Verdict
from analysis.rules.samples import Sample
from contracts.rules import BurnRate, Window, milliseconds


class Burn(NamedTuple):
    """The slower of a pair's two rates, and the factor it must stay below."""

    rate: float
    factor: float


class BurnRateKind(Kind[BurnRate]):
    """The numbers of a bin are its bad events and all events; quiet bins are zeros."""

    def width(self, rule: BurnRate) -> int:
        return 2

    def horizon(self, rule: BurnRate) -> int:
        return max(milliseconds(window.long) for window in rule.windows) // rule.bin_ms

    def zero(self, rule: BurnRate) -> bool:
        return True

    def read(self, rule: BurnRate, sample: Sample) -> Cell | None:
        return (float(sample.bin.value),) if sample.bin.count else None

    def judge(self, rule: BurnRate, cells: Sequence[Cell]) -> Verdict:
        """A pair whose windows are not yet known in full is judged on what is known."""
        burns = [self._burn(rule, window, cells) for window in rule.windows]
        worst = max(burns, key=lambda burn: burn.rate / burn.factor)
        breach = worst.rate >= worst.factor
        return Verdict(breach, not breach, value=worst.rate, threshold=worst.factor)

    def _burn(self, rule: BurnRate, window: Window, cells: Sequence[Cell]) -> Burn:
        rates = []
        for length in (window.long, window.short):
            some = cells[-(milliseconds(length) // rule.bin_ms) :]
            bad, total = sum(cell[0] for cell in some), sum(cell[1] for cell in some)
            rates.append(bad / total / (1 - rule.objective) if total else 0.0)
        return Burn(min(rates), window.factor)

    def summary(self, rule: BurnRate, labels: Mapping[str, str]) -> str:
        return "the error budget burns {value} times as fast as it may (limit {threshold}); {labels}"


kind = BurnRateKind()
