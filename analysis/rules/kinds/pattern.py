"""A pattern of events was found: each match is an event of the series `pattern_matches`."""

from collections.abc import Mapping, Sequence

from analysis.rules.kind import Cell, Kind, Verdict
from contracts.rules import Pattern


class PatternKind(Kind[Pattern]):
    """The number of a bin is how many matches it holds."""

    def zero(self, rule: Pattern) -> bool:
        return True

    def judge(self, rule: Pattern, cells: Sequence[Cell]) -> Verdict:
        matches = cells[-1][0]
        return Verdict(matches > 0, matches == 0, value=matches)

    def summary(self, rule: Pattern, labels: Mapping[str, str]) -> str:
        return "the pattern was found {value} times; {labels}"


kind = PatternKind()
