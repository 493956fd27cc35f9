"""The rules over a stream of bins and progress: state and messages in, state and alerts out.

A bin is judged once, when progress has passed it; what comes later corrects the windows that it is still in. Messages
are taken in the order of the log, and what comes out does not depend on how they are cut into calls.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from analysis.rules import judging, messages, selection
from analysis.rules.judging import Change, Plan
from analysis.rules.kind import Cell
from analysis.rules.samples import Message, Sample
from analysis.rules.selection import Hit, Selection, Share
from analysis.rules.state import LaneState, State, Track
from analysis.watch.lane import Lane
from contracts.alerts import Alert
from contracts.rules import Absent, Blind, Common
from contracts.series import Progress

# What says which numbers a rule looks at: after a change of these nothing that is remembered fits any more.
SHAPE: Final = ("kind", "select", "bad", "total", "by", "stat", "combine", "ratio", "bin", "pattern")


class Engine:
    """Judges by a set of rules; holds nothing but them.

    `share`: only groups of this share. `alone`: one shard's series, whose own progress closes them; otherwise a lane is
    closed as far as all of its shards are.
    """

    def __init__(self, rules: Mapping[str, Common], share: Share | None = None, *, alone: bool = False) -> None:
        self._alone = alone
        self._share = share
        self._plans = {name: judging.plan(rule) for name, rule in rules.items() if not isinstance(rule, Blind)}
        self._shapes = {name: _shape(plan.rule) for name, plan in self._plans.items()}
        self._selection = Selection([plan.rule for plan in self._plans.values()], share)

    def evaluate(self, state: State, stream: Iterable[Message]) -> tuple[State, list[Alert]]:
        """The state that goes in is used up: it is changed in place."""
        alerts = self._adopt(state)
        for message in stream:
            if isinstance(message, Progress):
                alerts += self._move(state, message)
            else:
                self._take(state, message)
        return state, alerts

    def _adopt(self, state: State) -> list[Alert]:
        """Drops what belongs to rules that are gone, or look at other numbers now."""
        gone = [name for name, shape in state.shapes.items() if self._shapes.get(name) != shape]
        tracks = [track for name in gone for track in state.tracks.pop(name, {}).values()]
        state.shapes = dict(self._shapes)
        return [
            messages.dropped(track.alert, max(track.seen, track.alert.starts_at), "the rule was removed or changed")
            for track in tracks
            if track.alert is not None
        ]

    def _take(self, state: State, sample: Sample) -> None:
        lane = state.lane(Lane.of(sample.bin))
        for hit in self._selection.hits(sample.bin):
            plan = self._plans[hit.rule]
            numbers = plan.kind.read(plan.rule, sample)
            if numbers is not None:
                _put(plan, state.tracks.setdefault(hit.rule, {}), lane, hit, sample, numbers)

    def _move(self, state: State, progress: Progress) -> list[Alert]:
        stream, resolution = Lane.of(progress)
        lane = state.lane(Lane(stream, resolution))
        moved = lane.move(progress, alone=self._alone)
        if moved is None:
            return []
        found: list[tuple[Change, str]] = []
        for name, plan in self._plans.items():
            if plan.rule.source_ms == resolution:
                tracks = state.tracks.setdefault(name, {})
                self._expect(plan, tracks, stream, moved[0] or lane.started or 0)
                found += [(change, name) for change in _judge(plan, tracks, lane, stream, moved)]
        found.sort(key=lambda one: (one[0].start, one[1], one[0].alert.id))
        return [change.alert for change, _ in found]

    def _expect(self, plan: Plan, tracks: dict[str, Track], stream: str, begin: int) -> None:
        """Sources that must send are watched from the beginning."""
        rule = plan.rule
        if not isinstance(rule, Absent) or selection.stream_of(rule) != stream:
            return
        for labels in rule.expect:
            group = selection.group_key(labels)
            if group not in tracks and (self._share is None or self._share.holds(rule.name, group)):
                first = begin // plan.step * plan.step
                tracks[group] = Track(labels, stream, first, first)


def _put(plan: Plan, tracks: dict[str, Track], lane: LaneState, hit: Hit, sample: Sample, numbers: Cell) -> None:
    """Into the window of its group, unless it is of a time that is not looked at again."""
    start = sample.bin.start
    at = start // plan.step * plan.step
    judged = at if lane.closed is None else lane.closed // plan.step * plan.step
    if at < plan.oldest(judged):
        return
    track = tracks.get(hit.group)
    if track is None:
        track = tracks[hit.group] = Track(dict(hit.labels), Lane.of(sample.bin).stream, at, at)
    track.first = min(track.first, at)
    track.seen = max(track.seen, at)
    parts = track.window.setdefault(at, {})
    part = f"{hit.part}.{(start - at) // sample.bin.resolution}"
    if part not in parts or parts[part][1] <= sample.bin.revision:
        parts[part] = [hit.role, sample.bin.revision, *numbers]


def _judge(
    plan: Plan, tracks: dict[str, Track], lane: LaneState, stream: str, moved: tuple[int, int]
) -> Iterable[Change]:
    """All tracks of a rule in this lane, as far as it moved."""
    span = plan.span(lane.started or 0, *moved)
    for group, track in list(tracks.items()):
        if track.stream == stream:
            yield from judging.advance(plan, track, span)
            if judging.is_idle(plan, track, span.end):
                del tracks[group]


def _shape(rule: Common) -> str:
    fields: dict[str, Any] = msgspec.to_builtins(rule)
    return json.dumps({name: fields[name] for name in SHAPE if name in fields}, sort_keys=True)
