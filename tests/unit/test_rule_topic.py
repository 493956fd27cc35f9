"""What `tidewatch rules` says and writes of rules, without a broker."""

import pytest

from cli import rule_topic
from contracts.rule_sets import Change, changes, parse
from contracts.settings import Settings
from contracts.times import DAY_MS
from tests.unit.strategies import NOW

RULES = """
rules:
  - {name: slow, kind: threshold, select: {metric: load}, above: 1}
  - {name: soon, kind: threshold, select: {metric: load}, above: 1, bin: 10s}
"""


def test_a_rule_over_bins_of_ten_seconds_brings_them_and_takes_them_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOW * 1_000_000)
    settings = Settings()
    applied = rule_topic.wanted(settings, {}, parse(RULES, "f.yml"))
    told = [rule_topic.words(one) for one in changes({}, applied)]
    assert told == ["+ bins/load  of ten seconds from 2023-11-14T22:14:20Z on", "+ rule/slow", "+ rule/soon"]
    without = "\n".join(RULES.splitlines()[:-1])
    again = rule_topic.wanted(settings, applied, parse(without, "f.yml"))
    assert again.keys() == {"rule/slow"}, "taken back before they began"
    monkeypatch.setattr("time.time_ns", lambda: (NOW + DAY_MS) * 1_000_000)
    ended = rule_topic.wanted(settings, applied, parse(without, "f.yml"))
    (told_last, _) = [rule_topic.words(one) for one in changes(applied, ended)]
    assert told_last == "- bins/load  of ten seconds from 2023-11-15T22:14:20Z on"


def test_spans_that_are_forgotten_are_no_bins_that_begin() -> None:
    before, after = b'{"spans":[[10000,20000],[30000,null]]}', b'{"spans":[[30000,null]]}'
    told = rule_topic.words(Change("bins/load", before, after))
    assert told == "~ bins/load  of ten seconds: what is over is forgotten"
