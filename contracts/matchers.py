"""Matchers of labels, as Prometheus and Alertmanager write them: `country=PL`, `brand!=Nike`, `code=~"-1.*"`.

A label that a series does not have is one with an empty value. An expression must match the whole value.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

Labels = Mapping[str, str]

METRIC_LABEL: Final = "__name__"  # by which a matcher means the metric, as in Prometheus

_SPELLING: Final = re.compile(r'\s*([^\s=!~"]+)\s*(=~|!~|!=|=)\s*(?:"(.*)"|([^"]*?))\s*', re.DOTALL)


class Matcher(NamedTuple):
    """One condition on one label; `operator` is `=`, `!=`, `=~` or `!~`."""

    label: str
    operator: str
    value: str

    def test(self) -> Callable[[str], bool]:
        """Whether a value of the label meets the condition."""
        if self.operator in ("=", "!="):
            wanted = self.operator == "="
            return lambda value: (value == self.value) is wanted
        found = re.compile(self.value).fullmatch
        wanted = self.operator == "=~"
        return lambda value: (found(value) is not None) is wanted


@lru_cache(maxsize=4096)
def parse(text: str) -> Matcher:
    """The matcher that the text spells; ValueError says what is wrong with it."""
    spelled = _SPELLING.fullmatch(text)
    if spelled is None:
        raise ValueError(f'{text!r} is no matcher; one looks like country=PL, brand!=Nike, code=~"-1.*" or host!~x.+')
    label, operator, quoted, plain = spelled.groups()
    matcher = Matcher(label, operator, plain if quoted is None else quoted)
    try:
        matcher.test()
    except re.error as error:
        raise ValueError(f"{text!r} holds no regular expression: {error}") from None
    return matcher


def compile_all(texts: tuple[str, ...]) -> Callable[[Labels], bool]:
    """Whether labels meet all of the matchers."""
    tests = [(matcher.label, matcher.test()) for matcher in map(parse, texts)]
    return lambda labels: all(test(labels.get(label, "")) for label, test in tests)


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
        meets = compile_all(self.match)
        names = None if self.label_names is None else set(self.label_names)

        def selects(metric: str, labels: Labels) -> bool:
            if self.metric not in ("", metric) or names not in (None, set(labels)):
                return False
            return meets({METRIC_LABEL: metric, **labels})

        return selects
