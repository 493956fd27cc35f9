"""What `tidewatch rules` says and writes of rules, without a broker."""

from cli import rule_topic
from contracts.rule_sets import changes, parse
from contracts.settings import Settings

RULES = """
rules:
  - {name: slow, kind: threshold, select: {metric: load}, above: 1}
  - {name: soon, kind: threshold, select: {metric: load}, above: 1, bin: 10s}
"""


def test_a_rule_over_bins_of_ten_seconds_brings_them_and_takes_them_away() -> None:
    settings = Settings()
    applied = rule_topic.wanted(settings, {}, parse(RULES, "f.yml"))
    first, *others = map(rule_topic.words, changes({}, applied))
    assert first.startswith("+ bins/load  of ten seconds from 20")
    assert others == ["+ rule/slow", "+ rule/soon"]
    without = "\n".join(RULES.splitlines()[:-1])
    again = rule_topic.wanted(settings, applied, parse(without, "f.yml"))
    assert again.keys() == {"rule/slow"}, "taken back before they began"
