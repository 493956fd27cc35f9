"""What `tidewatch rules` says of rules, without a broker."""

from cli.rule_topic import without_bins
from contracts.rule_sets import parse

RULES = """
rules:
  - {name: slow, kind: threshold, select: {metric: load}, above: 1}
  - {name: soon, kind: threshold, select: {metric: load}, above: 1, bin: 10s}
  - {name: codes, kind: mean_threshold, select: {metric: errors}, threshold: 2, bin: 30s}
  - {name: any, kind: threshold, select: {match: ["host=a"]}, above: 1, bin: 10s}
"""


def test_a_rule_over_bins_that_there_are_not_is_told() -> None:
    rules = parse(RULES, "f.yml").rules
    (line,) = without_bins(rules, ["errors"])
    assert line.startswith("rule soon judges bins of 10s, which load has only when")
    assert without_bins(rules, ["errors", "load"]) == []
