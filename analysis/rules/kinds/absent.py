"""No data from a source. A measured zero is data."""

from collections.abc import Mapping, Sequence
from math import isnan

from analysis.rules.kind import Cell, Kind, Verdict
from contracts.rules import Absent


class AbsentKind(Kind[Absent]):
    """The number of a bin is how many events are behind it, of all series of the source."""

    def keeps(self, rule: Absent) -> bool:
        return True

    def judge(self, rule: Absent, cells: Sequence[Cell]) -> Verdict:
        count = cells[-1][0]
        return Verdict(True, value=0.0) if isnan(count) else Verdict(False, over=True, value=count)

    def summary(self, rule: Absent, labels: Mapping[str, str]) -> str:
        return "no data since {start}; {labels}"


kind = AbsentKind()
