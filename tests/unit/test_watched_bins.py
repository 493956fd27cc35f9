"""Bins that rules ask for: what `rules apply` writes of them, and when an operator must read it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from contracts import watched_bins
from contracts.rule_sets import parse
from contracts.settings import Jobs, Settings
from contracts.watched_bins import ALWAYS, LEAD_MS, Span, Spans
from jobs import watched_metrics
from jobs.watched_metrics import KNOWN_MS, LOOK_MS, WatchedMetrics
from tests.unit.strategies import NOW

RULES = """
rules:
  - {name: slow, kind: threshold, select: {metric: load}, above: 1}
  - {name: soon, kind: threshold, select: {metric: disk}, above: 1, bin: 10s}
  - {name: codes, kind: mean_threshold, select: {metric: errors}, threshold: 2, bin: 30s}
  - {name: any, kind: threshold, select: {match: ["host=a"]}, above: 1, bin: 10s}
  - name: burns
    kind: burn_rate
    bad: {metric: failed}
    total: {metric: all}
    objective: 0.9
    bin: 10s
"""
BEGIN = NOW + LEAD_MS
STEP = 10_000


def test_metrics_are_watched_by_the_rules_that_name_them_and_judge_ten_seconds() -> None:
    rules = parse(RULES, "f.yml").rules.values()
    assert watched_bins.watched(rules) == {"disk": STEP, "errors": 3 * STEP, "failed": STEP, "all": STEP}


def test_they_begin_with_a_whole_bin_of_each_rule() -> None:
    """Of a sum below a limit, a part of a bin would be told."""
    texts = [f"{{name: r{bin}, kind: threshold, select: {{metric: a}}, below: 1, bin: {bin}s}}" for bin in (20, 50, 90)]
    metrics = watched_bins.watched(parse(f"rules: [{', '.join(texts)}]", "f.yml").rules.values())
    assert metrics == {"a": 900_000}
    ((begin, _),) = ((span.start, span.end) for span in spans_of(watched_bins.to_records({}, metrics, NOW + 1, 0))["a"])
    assert begin >= NOW + LEAD_MS
    assert begin % 900_000 == 0


def spans_of(records: Mapping[str, bytes]) -> dict[str, Spans]:
    found, problems = watched_bins.from_records(records)
    assert problems == []
    return found


def changed(held: dict[str, bytes], *metrics: str, now: int = NOW, oldest: int = 0) -> dict[str, bytes]:
    return watched_bins.to_records(held, dict.fromkeys(metrics, STEP), now, oldest)


def test_a_metric_keeps_its_span_while_any_rule_watches_it() -> None:
    first = changed({}, "a")
    assert spans_of(first) == {"a": (Span(BEGIN),)}
    assert changed(first, "a", now=NOW + 3 * STEP) == first
    both = changed(first, "a", "b", now=NOW + 1)
    assert spans_of(both) == {"a": (Span(BEGIN),), "b": (Span(BEGIN + STEP),)}, "begins of bins, rounded up"


def test_what_ends_and_begins_again_has_two_spans_until_the_first_is_forgotten() -> None:
    ended = changed(changed({}, "a"), now=NOW + 5 * STEP)
    assert spans_of(ended) == {"a": (Span(BEGIN, BEGIN + 5 * STEP),)}
    again = changed(ended, "a", now=NOW + 9 * STEP)
    both = (Span(BEGIN, BEGIN + 5 * STEP), Span(BEGIN + 9 * STEP))
    assert spans_of(again) == {"a": both}
    assert spans_of(changed(again, "a", now=NOW + 10 * STEP, oldest=BEGIN + 5 * STEP)) == {"a": both[1:]}
    assert changed(ended, oldest=BEGIN + 5 * STEP) == {}
    assert changed(changed({}, "a")) == {}, "taken back before it began"


def test_other_records_are_none_of_it_and_bad_ones_are_told() -> None:
    records = changed({}, "a") | {"rule/r": b"{}", "bins/b": b'{"spans":[["x"]]}'}
    found, (problem,) = watched_bins.from_records(records)
    assert list(found) == ["a"]
    assert problem.startswith("record bins/b of the topic: ")
    assert list(changed(records, "a", "b", now=NOW)) == ["bins/a", "bins/b"], "written anew"


def is_counted(records: Mapping[str, bytes], start: int) -> bool:
    return any(one.start <= start < one.before for one in spans_of(records).get("a", ()))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100_000)), max_size=8))
def test_no_change_is_of_bins_before_its_lead_is_over(history: list[tuple[bool, int]]) -> None:
    """And when it is, the metric has bins if it is watched: so what was read of the topic is right for so long."""
    versions: list[tuple[int, bool, dict[str, bytes]]] = [(NOW, False, {})]
    for is_watched, pause in history:
        now, _, held = versions[-1]
        versions.append((now + pause, is_watched, changed(held, *["a"] * is_watched, now=now + pause)))
    for (_, _, held), (now, is_watched, records) in pairwise(versions):
        begin = -(-(now + LEAD_MS) // STEP) * STEP
        assert is_counted(records, begin) == is_watched
        for start in range(NOW, begin, STEP):
            assert is_counted(records, start) == is_counted(held, start)


class Topic:
    """Answers in turn; one that is None is a broker that does not tell. Counts the readings."""

    def __init__(self, *answers: dict[str, bytes] | None) -> None:
        self.answers: Sequence[dict[str, bytes] | None] = answers
        self.readings = 0

    def read(self) -> dict[str, bytes]:
        answer = self.answers[min(self.readings, len(self.answers) - 1)]
        self.readings += 1
        if answer is None:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        return answer


class Clock:
    """In place of the module `time`: stands, but for who sleeps."""

    def __init__(self, now: int) -> None:
        self.now = now

    def time_ns(self) -> int:
        return self.now * 1_000_000

    def monotonic(self) -> float:
        return self.now / 1000

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(NOW)
    monkeypatch.setattr(watched_metrics, "time", clock)
    return clock


def follow(topic: Topic) -> WatchedMetrics:
    return WatchedMetrics(Settings(jobs=Jobs(ten_second_metrics=["set"])), topic.read)


def test_settings_and_rules_say_what_is_counted(clock: Clock) -> None:
    ended = changed(changed({}, "old", now=NOW - 10 * LEAD_MS), now=NOW - 5 * LEAD_MS)
    found = follow(Topic(changed(ended, "new"))).at(0)
    wanted = {"old": (Span(NOW - 9 * LEAD_MS, NOW - 4 * LEAD_MS),), "new": (Span(BEGIN),)}
    assert found.fine[10] == wanted | dict.fromkeys(["set", "tidewatch_canary"], ALWAYS)
    assert sorted(found.names) == [b'"new"', b'"set"', b'"tidewatch_canary"'], "bins that ended are in no hurry"


def test_the_topic_is_read_again_only_when_events_come_near_what_is_known(clock: Clock) -> None:
    topic = Topic({}, changed({}, "a"))
    metrics = follow(topic)
    for event_time in (1, NOW, NOW + LOOK_MS - 1):
        assert "a" not in metrics.at(event_time).fine[10]
    assert topic.readings == 1
    clock.now += LOOK_MS
    assert "a" in metrics.at(clock.now).fine[10]
    assert topic.readings == 2
    for _ in range(100):  # of a clock that is ahead of ours
        metrics.at(clock.now + 10 * LEAD_MS)
    assert topic.readings == 2
    clock.now += 1000
    metrics.at(clock.now + 10 * LEAD_MS)
    assert topic.readings == 3


def test_nothing_is_counted_before_the_topic_was_read_once(clock: Clock) -> None:
    topic = Topic(None, None, changed({}, "a"))
    assert "a" in follow(topic).at(1).fine[10]
    assert (topic.readings, clock.now) == (3, NOW + 2000)


def test_a_broker_that_does_not_tell_is_waited_for_only_where_it_matters(clock: Clock) -> None:
    topic = Topic({}, None, None, None, changed({}, "a"))
    metrics = follow(topic)
    metrics.at(NOW)
    clock.now = NOW + LOOK_MS
    for event_time in (NOW + LOOK_MS, NOW + KNOWN_MS - 1):  # at once, so the second does not ask
        assert "a" not in metrics.at(event_time).fine[10]
    assert (topic.readings, clock.now) == (2, NOW + LOOK_MS)
    assert "a" in metrics.at(NOW + KNOWN_MS).fine[10]
    assert (topic.readings, clock.now) == (5, NOW + LOOK_MS + 2000)
