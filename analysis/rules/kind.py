"""What a kind of rule is: how bins become numbers, and how the numbers of a bin are judged.

A kind is a module of `analysis/rules/kinds/`, called as the rules' `kind` is, with a `kind` of class `Kind`; adding one
touches nothing else but its struct in `contracts/rules.py`.
"""

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from math import isnan
from typing import Final, Generic, NamedTuple, TypeVar

from analysis.rules.samples import Sample
from contracts.rules import Common, OverSeries
from contracts.series import USER_TAG_METRICS, Bin

Cell = tuple[float, ...]  # the numbers of one bin, nan where there is none
R = TypeVar("R", bound=Common)


class Verdict(NamedTuple):
    """`breach`: the condition holds, None when nothing can be said. `over`: it is back on the good side for certain.

    Neither is between a limit and its recovery. The numbers are what the alert shows.
    """

    breach: bool | None
    over: bool = False
    value: float | None = None
    expected: float | None = None
    threshold: float | None = None
    score: float | None = None


UNKNOWN: Final = Verdict(None)


class Kind(Generic[R]):
    """The usual case: one number a series, judged bin by bin."""

    def role(self, rule: R, place: int, labels: Mapping[str, str]) -> int | None:
        """Which of the numbers a series gives that selector number `place` selected; None when it gives none."""
        return place

    def width(self, rule: R) -> int:
        """How many numbers a bin has."""
        return 1

    def horizon(self, rule: R) -> int:
        """How many bins are looked at, the one that is judged included."""
        return 1

    def zero(self, rule: R) -> bool:
        """Whether a bin without data is zero; otherwise it is a gap."""
        return False

    def keeps(self, rule: R) -> bool:
        """Whether series are remembered although nothing is wrong with them."""
        return self.zero(rule)

    def read(self, rule: R, sample: Sample) -> Cell | None:
        """What a sample gives, from its role's number on; None when there is nothing in it."""
        return (float(sample.bin.count),) if sample.bin.count else None

    def judge(self, rule: R, cells: Sequence[Cell]) -> Verdict:
        """The newest of `cells`, which are `horizon` bins in order, or fewer when no more are known."""
        raise NotImplementedError

    def summary(self, rule: R, labels: Mapping[str, str]) -> str:
        """The template of rules that have none of their own, see `analysis/rules/messages.py`."""
        raise NotImplementedError


def stat_of(rule: OverSeries, one: Bin) -> float:
    """The number that the rule looks at; of a bin of user tags, which has one only, that one."""
    if rule.stat == "value":
        return float(one.value)
    if rule.stat == "count":
        return float(one.count)
    if rule.stat == "mean":
        return one.values.get("sum", float(one.value)) / max(one.count, 1)
    return one.values.get(rule.stat, float(one.value))


def quiet_is_zero(rule: OverSeries) -> bool:
    """By the rule's word, else for counts of events, as all user-tag series are."""
    return rule.quiet == "zero" or (rule.quiet == "auto" and rule.select.metric in USER_TAG_METRICS)


def limit(value: float, threshold: float, recovery: float | None) -> Verdict:
    """Of a value that must stay below `threshold`, and is over below `recovery`."""
    if isnan(value):
        return UNKNOWN
    over = value < (threshold if recovery is None else recovery)
    return Verdict(value >= threshold, over, value=value, threshold=threshold)


@cache
def find(name: str) -> Kind[Common]:
    """The kind of that name."""
    kind: Kind[Common] = importlib.import_module(f"analysis.rules.kinds.{name}").kind
    return kind
