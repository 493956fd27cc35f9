"""Nothing can be judged. `analysis/rules/blind.py` says when; it looks at progress and the clock, not at bins."""

from collections.abc import Mapping

from analysis.rules.kind import Kind
from contracts.rules import Blind


class BlindKind(Kind[Blind]):
    """Only its summary."""

    def summary(self, rule: Blind, labels: Mapping[str, str]) -> str:
        return "no progress since {start}, nothing is judged"


kind = BlindKind()
