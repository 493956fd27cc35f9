"""Matchers of labels, as Prometheus and Alertmanager write them: `country=PL`, `brand!=Nike`, `code=~"-1.*"`.

Rules choose series by them; silences, routes and inhibitions choose alerts. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

Labels = Mapping[str, str]

_TEXT: Final = re.compile(r'\s*([^\s=!~"]+)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class Matcher(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One condition on one label; a label that is not there is as an empty one.

    A regular expression must match the whole value. In JSON the fields are those of Alertmanager: name, value, isRegex,
    isEqual. ValueError when the expression is none.
    """

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    value: Annotated[str, Meta(max_length=1024)]
    is_regex: bool = False
    is_equal: bool = True

    def __post_init__(self) -> None:
        if self.is_regex:
            _compiled(self.value)

    def holds(self, labels: Labels) -> bool:
        """Whether the labels fulfil it."""
        value = labels.get(self.name, "")
        hit = _compiled(self.value).fullmatch(value) is not None if self.is_regex else value == self.value
        return hit == self.is_equal

    def __str__(self) -> str:
        operator = ("=~" if self.is_equal else "!~") if self.is_regex else ("=" if self.is_equal else "!=")
        value = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{operator}"{value}"'


@lru_cache(maxsize=4096)
def parse(text: str) -> Matcher:
    """Of `severity="critical"`, `build!=5.0`, `rule=~"errors|lag"`, `shop!~"test.*"`; ValueError for what is none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f'not a matcher such as severity="critical" or rule=~"errors|lag": {text[:80]!r}')
    name, operator, quoted, plain = found.groups()
    value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
    return Matcher(name, value, is_regex=operator.endswith("~"), is_equal=operator.startswith("="))


def all_hold(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether the labels fulfil every one; true of none."""
    return all(matcher.holds(labels) for matcher in matchers)


def encode(matchers: Iterable[Matcher]) -> str:
    """As JSON."""
    return msgspec.json.encode(list(matchers)).decode()


def decode(text: str | bytes) -> list[Matcher]:
    """Of JSON; msgspec.DecodeError says what is wrong."""
    return _decoder.decode(text)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {pattern[:80]!r}: {error}") from None


_decoder: Final = msgspec.json.Decoder(list[Matcher])
