"""Bins of ten seconds that rules ask for: which metrics have them, and from when to when, as records of topic `rules`.

Whoever puts rules in force writes it beside them. The key of a record is `bins/<metric>`, its value a JSON object with
`spans`, pairs of epoch milliseconds: a bin that begins in [first, second) is counted; null stands for no end. A change
holds from `LEAD_MS` after it was decided or a little later, never before: so whoever reads the topic now and then knows
in time, and what is counted is a function of what the topic holds, whenever it is counted.
"""

from collections.abc import Iterable, Mapping
from math import lcm
from typing import Final

import msgspec
from msgspec import Struct

from contracts.rules import SHORTEST_BIN_MS, Common, selectors
from contracts.times import LATEST_MS

BINS_PREFIX: Final = "bins/"
LEAD_MS: Final = 60_000


class Span(Struct, frozen=True, array_like=True):
    """Begins of bins, epoch milliseconds: `end` is not in it, and None where there is none."""

    start: int
    end: int | None = None

    @property
    def before(self) -> int:
        """`end`, or a time later than all that the store can hold."""
        return LATEST_MS if self.end is None else self.end


Spans = tuple[Span, ...]
ALWAYS: Final[Spans] = (Span(0),)


class _Value(Struct, frozen=True):
    spans: Spans


def watched(rules: Iterable[Common]) -> dict[str, int]:
    """The metrics that these rules name and judge by bins of ten seconds; of each, a time in milliseconds that each
    rule divides into whole bins of its own."""
    found: dict[str, int] = {}
    for rule in rules:
        if rule.source_ms == SHORTEST_BIN_MS:
            for selector in selectors(rule):
                found[selector.metric] = lcm(found.get(selector.metric, 1), rule.bin_ms)
    return {metric: length for metric, length in found.items() if metric}


def from_records(records: Mapping[str, bytes]) -> tuple[dict[str, Spans], list[str]]:
    """Spans by metric, of all records of the topic; and what could not be read of it."""
    found: dict[str, Spans] = {}
    problems = []
    for key, value in sorted(records.items()):
        if key.startswith(BINS_PREFIX):
            try:
                found[key.removeprefix(BINS_PREFIX)] = decode(value)
            except msgspec.DecodeError as error:
                problems.append(f"record {key} of the topic: {error}")
    return found, problems


def to_records(held: Mapping[str, bytes], metrics: Mapping[str, int], now: int, oldest: int) -> dict[str, bytes]:
    """What the topic should hold when rules watch these metrics (see `watched`) from `now` on (epoch milliseconds), and
    holds `held`.

    A metric that is watched already keeps its span, whatever else changes of its rules. Spans that ended before
    `oldest` are forgotten.
    """
    known, _ = from_records(held)
    spans = {
        metric: _changed(known.get(metric, ()), metric in metrics, _change(now, metrics.get(metric, SHORTEST_BIN_MS)))
        for metric in sorted({*known, *metrics})
    }
    kept = {metric: tuple(one for one in its if one.end is None or one.end > oldest) for metric, its in spans.items()}
    return {BINS_PREFIX + metric: _encoder.encode(_Value(its)) for metric, its in kept.items() if its}


def _change(now: int, length: int) -> int:
    """Where bins of that length begin: a rule would take a part of its first one for the whole."""
    return -(-(now + LEAD_MS) // length) * length


def _changed(spans: Spans, is_watched: bool, change: int) -> Spans:
    if is_watched == is_open(spans):
        return spans
    if is_watched:
        return (*spans, Span(change))
    *ended, last = spans
    return (*ended, Span(last.start, change)) if change > last.start else tuple(ended)


def is_open(spans: Spans) -> bool:
    """Whether the last of them has no end."""
    return bool(spans) and spans[-1].end is None


def decode(value: bytes) -> Spans:
    """The spans of a record, in the order of time; msgspec.DecodeError says what is wrong with it."""
    return _decoder.decode(value).spans


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Value)
