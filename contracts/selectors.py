"""Selectors of series: by metric, and by matchers of labels."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from contracts.matchers import Labels, all_hold, parse

METRIC_LABEL: Final = "__name__"  # by which a matcher means the metric, as in Prometheus


class Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An unknown field is an error."""


class Selector(Strict, frozen=True, kw_only=True):
    """Series by metric (empty: any), matchers of labels, and the names of all of their labels (None: any)."""

    metric: str = ""
    match: tuple[str, ...] = ()
    label_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.metric and not self.match:
            raise ValueError("a selector without metric and match would select everything: give one of them")
        for text in self.match:
            parse(text)

    def compile(self) -> Callable[[str, Labels], bool]:
        """Whether a series of this metric and these labels is selected."""
        matchers = [parse(text) for text in self.match]
        names = None if self.label_names is None else set(self.label_names)

        def selects(metric: str, labels: Labels) -> bool:
            if self.metric not in ("", metric) or names not in (None, set(labels)):
                return False
            return all_hold(matchers, {METRIC_LABEL: metric, **labels})

        return selects
