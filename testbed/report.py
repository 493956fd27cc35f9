"""What a run found, in the terms that the course scores by. Pure."""

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from testbed.judge import Difference

SHOWN: Final = 20  # differences kept whole; the rest is counted
DAY_MS: Final = 86_400_000


class Tally:
    """Calls of one kind. Late ones took over `limit` seconds; latencies in seconds."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.sent = 0
        self.correct = 0  # answered rightly and in time
        self.late = 0  # answered rightly, too late
        self.wrong = 0
        self.failed: Counter[str] = Counter()  # another status than the contract's, or no answer, by reason
        self.silent = 0  # of these, those without an answer
        self.latencies = array("f")

    def right(self, latency: float) -> None:
        self.latencies.append(latency)
        if latency > self.limit:
            self.late += 1
        else:
            self.correct += 1

    def mistaken(self, latency: float) -> None:
        self.latencies.append(latency)
        self.wrong += 1

    def refused(self, reason: str, latency: float, *, silent: bool = False) -> None:
        self.latencies.append(latency)
        self.silent += silent
        self.failed[reason[:200]] += 1

    @property
    def decided(self) -> int:
        """Calls that came to an end."""
        return self.correct + self.late + self.wrong + sum(self.failed.values())

    def percent(self) -> float:
        """Share of the calls that were answered rightly and in time; 100 when there was none."""
        return 100 * self.correct / self.decided if self.decided else 100.0

    def summary(self) -> dict[str, Any]:
        """Counts and latencies in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "sent": self.sent,
            "correct": self.correct,
            "late": self.late,
            "wrong": self.wrong,
            "failed": sum(self.failed.values()),
            "p50_ms": milliseconds(quantile(ordered, 0.5)),
            "p99_ms": milliseconds(quantile(ordered, 0.99)),
            "max_ms": milliseconds(ordered[-1] if ordered else 0.0),
        }


class Report:
    """A run's tallies by kind, its differences, and the score."""

    KINDS: Final = ("tags", "profiles", "aggregates", "sweep")

    def __init__(self, late: float, late_aggregates: float) -> None:
        self.tags = Tally(late)
        self.profiles = Tally(late)
        self.aggregates = Tally(late_aggregates)
        self.sweep = Tally(late_aggregates)  # the last check asks at its own pace: its latencies score nothing
        self.differences: list[Difference] = []
        self.unjudgeable = 0
        self.logical_ms = 0
        self.seconds = 0.0
        self.freshness = array("f")  # seconds from a tag's acknowledgement until a profile showed it

    def differs(self, difference: Difference) -> None:
        """Keeps the first differences whole."""
        if len(self.differences) < SHOWN:
            self.differences.append(difference)

    @property
    def tallies(self) -> dict[str, Tally]:
        return {kind: getattr(self, kind) for kind in self.KINDS}

    @property
    def timeouts(self) -> int:
        """Calls that were answered too late, or not at all."""
        return sum(tally.late + tally.silent for tally in self.tallies.values())

    @property
    def passed(self) -> bool:
        """Whether every call was answered, and rightly; late answers pass."""
        return not any(tally.wrong or tally.failed for tally in self.tallies.values())

    def score(self) -> float:
        """100 for profiles and 100 for aggregates, at best."""
        return self.profiles.percent() + self.aggregates.percent()

    def course_score(self) -> float:
        """The score times the percentage of 24 h of logical time that was reached: 20,000 at best."""
        return self.score() * min(100.0, 100 * self.logical_ms / DAY_MS)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        fresh = sorted(self.freshness)
        failures = {kind: dict(tally.failed.most_common(5)) for kind, tally in self.tallies.items() if tally.failed}
        return {
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "acknowledged": self.tags.correct + self.tags.late,
            "timeouts": self.timeouts,
            "score": round(self.score(), 3),
            "course_score": round(self.course_score(), 1),
            "unjudgeable": self.unjudgeable,
            "freshness_p50_ms": milliseconds(quantile(fresh, 0.5)),
            "freshness_max_ms": milliseconds(fresh[-1] if fresh else 0.0),
            **{kind: tally.summary() for kind, tally in self.tallies.items()},
            "failures": failures,
            "differences": [difference._asdict() for difference in self.differences],
        }

    def as_text(self) -> str:
        """The same for people: a line a kind, then what went wrong."""
        names = ("sent", "correct", "late", "wrong", "failed", "p50_ms", "p99_ms", "max_ms")
        lines = [f"{'':12}" + "".join(f"{name:>10}" for name in names)]
        for kind, tally in self.tallies.items():
            summary = tally.summary()
            lines.append(f"{kind:12}" + "".join(f"{summary[name]:>10}" for name in names))
        lines.append(
            f"acknowledged {self.tags.correct + self.tags.late} · timeouts {self.timeouts}"
            f" · score {self.score():.2f} of 200 · course score {self.course_score():.1f} of 20000"
            f" ({self.logical_ms / DAY_MS:.2%} of 24 h) · {'passed' if self.passed else 'FAILED'}"
        )
        for kind, tally in self.tallies.items():
            lines += [f"{kind} failed {number} times: {reason}" for reason, number in tally.failed.most_common(5)]
        lines += [_shown(difference) for difference in self.differences]
        hidden = sum(tally.wrong for tally in self.tallies.values()) - len(self.differences)
        if hidden > 0:
            lines.append(f"and {hidden} more differences")
        return "\n".join(lines)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the ordered values do not exceed; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def milliseconds(seconds: float) -> float:
    """With one decimal."""
    return round(seconds * 1000, 1)


def _shown(difference: Difference, longest: int = 2000) -> str:
    expected, got = (
        text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"
        for text in (difference.expected, difference.got)
    )
    return f"\nPOST {difference.request}\n  {difference.reason}\n  expected {expected}\n  got      {got}"
