"""Error codes of two builds for an hour: one code rises and falls back, and exactly the expected alerts come and go."""

from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.rules.engine import Engine
from analysis.rules.samples import POINTS, Message, Sample
from analysis.rules.state import State
from contracts.alerts import Alert
from contracts.rule_sets import parse
from contracts.series import Bin, Progress
from contracts.times import format_seconds

RULES: Final = """
rules:
  - name: errors
    kind: mean_threshold
    select: {metric: errors, label_names: [build, code]}
    ratio: {label: build, new: 5.0.0.10, old: 5.0.0.9}
    severity: critical
"""
START: Final = 1_646_092_800_000
STEP: Final = 10_000
BINS: Final = 360  # an hour
CODES: Final = np.arange(-17, 16)
RECORDS: Final = 14_000
RISEN: Final = -17
RISE: Final = (120, 180)  # bins
BUILDS: Final = ("5.0.0.10", "5.0.0.9")  # the new one and the old one
Counts = NDArray[np.int64]


def an_hour(seed: int) -> Counts:
    """Records by build, code and bin: both builds fail alike, but one code of the new one in between."""
    random = np.random.default_rng(seed)
    rise = np.zeros(BINS, np.int64)
    rise[RISE[0] : RISE[1]] = random.integers(5, 12, RISE[1] - RISE[0])  # upon 8: more than a quarter
    both = np.zeros((len(CODES), BINS), np.int64)
    both[CODES == RISEN] = 8
    rest = (RECORDS - rise.sum()) // 2 - both.sum()
    places = random.integers(0, both.size, rest)
    both += np.bincount(places, minlength=both.size).reshape(both.shape)
    counts = np.stack([both, both])
    counts[0, RISEN - CODES[0]] += rise
    return counts


def messages(counts: Counts) -> list[Message]:
    """Closed bins, quiet ones left out, each followed by its progress."""
    found: list[Message] = []
    for number in range(BINS):
        for build, code in np.argwhere(counts[:, :, number]):
            value = int(counts[build, code, number])
            labels = {"build": BUILDS[build], "code": str(CODES[code])}
            found.append(Sample(Bin("errors", labels, STEP, START + number * STEP, value, value, value)))
        found.append(Progress(0, 1, STEP, START + (number + 1) * STEP, POINTS))
    return found


def by_numpy(counts: Counts) -> list[tuple[str, int, int, float, float]]:
    """(code, begin, end, value at the begin, value at the end) of each stretch in which the mean is too high."""
    ratio = counts[0] / np.maximum(counts[1], 1)
    found = []
    for code, row in zip(CODES, ratio, strict=True):
        means = np.convolve(row, np.ones(5) / 5, "valid")  # of the bins that end at bin 4, 5, …
        high = np.concatenate([[False], means >= 1.25 - 1e-12, [False]])
        edges = np.flatnonzero(np.diff(high.astype(int)))
        for begin, end in edges.reshape(-1, 2):
            after = float(means[end]) if end < len(means) else np.nan
            found.append((str(code), int(begin) + 4, int(end) + 4, float(means[begin]), after))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_exactly_the_expected_alerts_come_and_go(seed: int) -> None:
    counts = an_hour(seed)
    assert abs(int(counts.sum()) - RECORDS) <= 1
    wanted = by_numpy(counts)
    assert [code for code, *_ in wanted] == [str(RISEN)], "the scenario itself"
    alerts = Engine(parse(RULES, "scenario").rules).evaluate(State(), messages(counts))[1]
    assert [alert.status for alert in alerts] == ["firing", "resolved"]
    for code, begin, end, first, last in wanted:
        assert_alert(alerts[0], code, begin, first)
        assert_alert(alerts[1], code, begin, last, end)


def assert_alert(alert: Alert, code: str, begin: int, value: float, end: int | None = None) -> None:
    stop = None if end is None else START + end * STEP
    assert alert.labels == {"metric": "errors", "code": code}
    assert (alert.starts_at, alert.ends_at) == (START + begin * STEP, stop)
    assert alert.value == pytest.approx(value)
    assert alert.threshold == 1.25
    assert alert.summary == (
        f"Alert: Mean Threshold Exceeded; start: {format_seconds(START + begin * STEP)}Z; "
        f"stop: {'-' if stop is None else format_seconds(stop) + 'Z'}; "
        f"error code: {code}; value: {alert.value:.6g}; threshold: 1.25"
    )


def test_noise_alone_makes_the_alerts_that_numpy_counts() -> None:
    """Builds that fail independently, few errors a bin: many stretches, each an alert of its own."""
    counts = np.random.default_rng(4).poisson(0.6, (2, len(CODES), BINS))
    wanted = by_numpy(counts)
    assert len(wanted) > 50
    alerts = Engine(parse(RULES, "scenario").rules).evaluate(State(), messages(counts))[1]
    firing = [(alert.labels["code"], (alert.starts_at - START) // STEP) for alert in alerts if alert.status == "firing"]
    assert sorted(firing) == sorted((code, begin) for code, begin, *_ in wanted)
    over = {(alert.labels["code"], (alert.ends_at or 0) - START) for alert in alerts if alert.status == "resolved"}
    assert over == {(code, end * STEP) for code, _, end, *_ in wanted if end < BINS}
