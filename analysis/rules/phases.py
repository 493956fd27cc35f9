"""Inactive, pending, firing, resolved: what a verdict does to a track."""

from analysis.rules.kind import Verdict
from analysis.rules.state import Track
from contracts.alerts import Status
from contracts.rules import Common, milliseconds


def bins_to_fire(rule: Common) -> int:
    """So many bad bins in a row make the alert fire."""
    return max(1, -(-milliseconds(rule.for_) // rule.bin_ms))


def bins_to_resolve(rule: Common) -> int:
    """So many good bins in a row resolve it."""
    return max(1, -(-milliseconds(rule.keep_firing_for) // rule.bin_ms))


def step(rule: Common, track: Track, start: int, verdict: Verdict) -> Status | None:
    """Counts the bin at `start`; what becomes of the alert, None when nothing does.

    A bin of which nothing can be said changes nothing, so a gap neither resolves nor fires, nor counts for `for`.
    """
    if verdict.breach is None:
        return None
    if verdict.breach:
        return _bad(rule, track, start)
    if track.alert is None:
        track.bad = 0
        return None
    return _good(rule, track, start, over=verdict.over)


def _bad(rule: Common, track: Track, start: int) -> Status | None:
    track.good = 0
    if track.bad == 0:
        track.bad_since = start
    needed = bins_to_fire(rule)
    track.bad = min(track.bad + 1, needed)
    return "firing" if track.alert is None and track.bad == needed else None


def _good(rule: Common, track: Track, start: int, *, over: bool) -> Status | None:
    if not over:
        track.good = 0
        return None
    if track.good == 0:
        track.good_since = start
    track.good += 1
    if track.good < bins_to_resolve(rule):
        return None
    track.bad = track.good = 0
    return "resolved"
