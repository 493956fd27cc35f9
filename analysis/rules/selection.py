"""Which rules a bin is for, in which group of theirs, and as which of their numbers."""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

from analysis.rules import kind
from analysis.rules.samples import POINTS, USER_TAGS
from analysis.watch.lane import Lane
from contracts.rules import Absent, BurnRate, Common, MeanThreshold, OverSeries, selectors
from contracts.series import USER_TAG_METRICS, Bin

KNOWN_SERIES: Final = 100_000  # whose rules are remembered


class Hit(NamedTuple):
    """A rule that looks at the series: `group` and `labels` of what it judges, the series' `part` in it and `role`."""

    rule: str
    group: str
    labels: Mapping[str, str]
    part: str
    role: int


class Share(NamedTuple):
    """Of groups that are spread over `keys` keys those of `key`."""

    key: int
    keys: int

    def holds(self, rule: str, group: str) -> bool:
        return self.key == key_of(rule, group, self.keys)


class _Compiled(NamedTuple):
    rule: Common
    place: int
    selects: Callable[[str, Mapping[str, str]], bool]


class Selection:
    """Finds the rules of a series; of series that come again it remembers them."""

    def __init__(self, rules: Iterable[Common], share: Share | None = None) -> None:
        self._compiled = [
            _Compiled(rule, place, selector.compile())
            for rule in rules
            for place, selector in enumerate(selectors(rule))
        ]
        self._share = share
        self._known: dict[tuple[object, ...], list[Hit]] = {}

    def hits(self, one: Bin) -> list[Hit]:
        """What the bin is for."""
        series = (one.metric, one.resolution, *one.labels.items())
        hits = self._known.get(series)
        if hits is None:
            if len(self._known) >= KNOWN_SERIES:
                self._known.clear()
            hits = self._known[series] = list(self._find(one))
        return hits

    def _find(self, one: Bin) -> Iterable[Hit]:
        for rule, place, selects in self._compiled:
            if rule.source_ms != one.resolution or not selects(one.metric, one.labels):
                continue
            if is_wide(rule) and Lane.of(one).stream != stream_of(rule):
                continue
            role = kind.find(rule.kind).role(rule, place, one.labels)
            if role is None:
                continue
            labels = group_labels(rule, one)
            group = group_key(labels)
            if self._share is None or self._share.holds(rule.name, group):
                part = f"{role}{_digest([one.metric, sorted(one.labels.items())])}" if is_wide(rule) else ""
                yield Hit(rule.name, group, labels, part, role)


def is_wide(rule: Common) -> bool:
    """Whether it puts several series together, which may come from several shards."""
    if isinstance(rule, MeanThreshold) and rule.ratio is not None:
        return True
    return isinstance(rule, BurnRate) or (isinstance(rule, OverSeries | Absent) and rule.by is not None)


def stream_of(rule: Common) -> str:
    """Whose progress closes the bins of a rule over several series."""
    return USER_TAGS if any(one.metric in USER_TAG_METRICS for one in selectors(rule)) else POINTS


def group_labels(rule: Common, one: Bin) -> dict[str, str]:
    """The labels of what the rule judges: those of the series with its metric, or those that put series together."""
    by = rule.by if isinstance(rule, OverSeries | Absent | BurnRate) else None
    if by is not None:
        return {name: one.labels[name] for name in by if name in one.labels}
    labels = {"metric": one.metric, **one.labels}
    if isinstance(rule, MeanThreshold) and rule.ratio is not None:
        labels.pop(rule.ratio.label, None)
    return labels


def group_key(labels: Mapping[str, str]) -> str:
    """Equal for equal labels, whatever their order."""
    return json.dumps(sorted(labels.items()), separators=(",", ":"), ensure_ascii=False)


def key_of(rule: str, group: str, keys: int) -> int:
    """The key, below `keys`, at which a group meets whose series come from several shards."""
    return crc32(f"{rule}/{group}".encode()) % keys


def _digest(parts: list[object]) -> str:
    return blake2b(json.dumps(parts).encode(), digest_size=8).hexdigest()
