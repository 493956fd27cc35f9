"""Matchers: what they match, how they are written, and that writing and reading them agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.alerts import matchable
from contracts.matchers import Matcher, all_hold, decode, encode, parse
from tests.unit.alerting import firing

MATCHERS = st.builds(
    Matcher, st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=12), st.just(False), st.booleans()
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("shop=a", True),
        ('shop="a"', True),
        (" shop = a ", True),
        ("shop!=a", False),
        ('shop=~"a|b"', True),
        ("shop=~.", True),
        ("shop=~", False),
        ("shop!~b.*", True),
        ("code=~1", False),  # the whole value
        ("none=", True),  # a label that is not there is as an empty one
        ("none!=x", True),
        ("rule=errors", True),
        ("alertname=errors", True),
        ("severity=~critical|warning", True),
        ("kind=threshold", True),
    ],
)
def test_what_they_match(text: str, holds: bool) -> None:
    labels = matchable(firing(shop="a", code="17"))
    assert parse(text).holds(labels) is holds
    assert all_hold([parse(text), parse("shop=a")], labels) is holds


def test_no_matcher_holds_always() -> None:
    assert all_hold([], {})


@pytest.mark.parametrize("text", ["", "shop", "=a", "shop=~(", 'shop="a', "a b=c"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a "):
        parse(text)


@given(MATCHERS)
def test_a_matcher_reads_back_from_its_text(matcher: Matcher) -> None:
    assert parse(str(matcher)) == matcher


@given(st.lists(MATCHERS, max_size=4))
def test_matchers_read_back_from_json(matchers: list[Matcher]) -> None:
    assert decode(encode(matchers)) == matchers


def test_json_is_that_of_alertmanager() -> None:
    (matcher,) = decode('[{"name": "shop", "value": "a|b", "isRegex": true, "isEqual": false}]')
    assert str(matcher) == 'shop!~"a|b"'
    with pytest.raises(ValueError, match="not a regular expression"):
        decode('[{"name": "shop", "value": "(", "isRegex": true}]')
