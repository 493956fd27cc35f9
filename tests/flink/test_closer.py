"""Minutes close when the watermark has passed them, come again when something was late, and never skip a progress."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest
from pyflink.common import Instant, Row, Types
from pyflink.datastream import KeyedProcessFunction

from analysis import arrow
from analysis.series import NO_PARTIAL, PARTIAL_SCHEMA
from contracts.series import Bin, Progress, decode
from contracts.settings import Jobs
from contracts.times import MINUTE_MS
from jobs.closer import MinuteCloser
from tests.flink.conftest import Environments
from tests.flink.streams import collect, in_event_time, partial_type, texts

HOUR = 60 * MINUTE_MS
YEARS = 2_000_000  # minutes
REGULAR, QUIET, STRAY, EMPTY = range(4)


@dataclass
class Told:
    """What a shard sent: (start, revision, views) of the views' bins, and how far it is closed, in their order."""

    bins: list[tuple[int, int, int]] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # ends of bins' minutes and progress as they came


def partial(minute: int, views: int) -> bytes:
    if not views:
        return arrow.dump(NO_PARTIAL)
    row = {"minute": [minute], "label": [""], "value": [""], "views": [views], "buys": [0], "revenue": [0]}
    return arrow.dump(pa.table(row, schema=PARTIAL_SCHEMA))


# Shard, minute, views, and the time in ms that the watermark has right after.
PARTIALS = [
    (EMPTY, 0, 0, 5_000),  # what a counter sends to all shards with its first record
    (REGULAR, 0, 1, 10_000),
    (QUIET, 0, 4, 15_000),
    (REGULAR, 0, 2, 30_000),
    (STRAY, 0, 1, 40_000),
    (STRAY, YEARS, 9, 45_000),  # one partition is years ahead; the watermark goes by the slowest
    (REGULAR, 1, 1, 65_000),
    (REGULAR, 0, 5, 70_000),  # late
    (REGULAR, 2, 1, 125_000),
    (STRAY, 3, 1, 185_000),
    (REGULAR, 4, 1, 245_000),
    (REGULAR, 62, 1, 62 * MINUTE_MS + 30_000),
    (REGULAR, 4, 7, 62 * MINUTE_MS + 40_000),  # late by less than an hour
    (REGULAR, 0, 100, 62 * MINUTE_MS + 50_000),  # by more
    (REGULAR, 63, 1, 63 * MINUTE_MS + 1),
]


@pytest.fixture(scope="module")
def told(environments: Environments) -> dict[int, Told]:
    env = environments(1, bundle_size=1)
    rows = [Row(shard, partial(minute, views), Instant.of_epoch_milli(at)) for shard, minute, views, at in PARTIALS]
    shards = in_event_time(env, rows, partial_type()).key_by(lambda row: row[0], key_type=Types.INT())
    found = {shard: Told() for shard in (REGULAR, QUIET, STRAY, EMPTY)}
    for shard, value in collect(shards.process(MinuteCloser(Jobs()), texts())):
        for message in decode(value.encode()):
            note(found[int(shard)], int(shard), message)
    return found


def note(into: Told, shard: int, message: Bin | Progress) -> None:
    if isinstance(message, Progress):
        assert (message.shard, message.shards, message.resolution) == (shard, Jobs().series_shards, MINUTE_MS)
        into.progress.append(message.through)
        into.order.append(message.through)
    elif message.metric == "user_tags_views":
        into.bins.append((message.start, message.revision, int(message.value)))
        into.order.append(message.start + MINUTE_MS)


def test_a_minute_closes_when_the_watermark_passes(told: dict[int, Told]) -> None:
    bins = [one for one in told[REGULAR].bins if one[0] in (MINUTE_MS, 2 * MINUTE_MS)]
    assert bins == [(MINUTE_MS, 1, 1), (2 * MINUTE_MS, 1, 1)]


def test_a_late_partial_sends_its_minute_again_with_a_higher_revision(told: dict[int, Told]) -> None:
    assert [one for one in told[REGULAR].bins if one[0] == 0] == [(0, 3, 3), (0, 8, 8)]
    assert [one for one in told[REGULAR].bins if one[0] == 4 * MINUTE_MS] == [
        (4 * MINUTE_MS, 1, 1),
        (4 * MINUTE_MS, 8, 8),
    ]


def test_what_is_too_late_changes_nothing(told: dict[int, Told]) -> None:
    assert max(views for start, _, views in told[REGULAR].bins if start == 0) == 8


@pytest.mark.parametrize("shard", [REGULAR, QUIET, STRAY, EMPTY])
def test_every_shard_tells_progress_with_each_minute(told: dict[int, Told], shard: int) -> None:
    """Also one without events: zero is not silence."""
    minutes = [through // MINUTE_MS for through in told[shard].progress]
    assert minutes[:-1] == [1, 2, 3, 4, 62, 63]
    assert minutes[-1] > YEARS  # at the end of a bounded input the watermark passes everything


@pytest.mark.parametrize("shard", [REGULAR, QUIET, STRAY])
def test_bins_come_before_the_progress_that_closes_them(told: dict[int, Told], shard: int) -> None:
    closed = 0
    seen: set[int] = set()
    for end in told[shard].order:
        if end in told[shard].progress and end > closed and end not in seen:
            closed = end
        seen.add(end)
    first: dict[int, int] = {}
    for place, end in enumerate(told[shard].order):
        first.setdefault(end, place)
    assert all(
        told[shard].order.index(start + MINUTE_MS) == first[start + MINUTE_MS] for start, _, _ in told[shard].bins
    )


def test_a_stray_partial_years_ahead_waits_and_moves_nobody(told: dict[int, Told]) -> None:
    assert told[STRAY].bins == [(0, 1, 1), (3 * MINUTE_MS, 1, 1), (YEARS * MINUTE_MS, 9, 9)]
    assert told[STRAY].progress[:-1] == told[REGULAR].progress[:-1]


class Restored(MinuteCloser):
    """As after a restore whose snapshot had missed the timers: `before` stands in state, and nothing will fire."""

    before = partial(0, 3)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        if value[1] == self.before:
            self._pending.add(self.before)
            return iter(())
        return super().process_element(value, ctx)


def test_the_first_partial_after_a_restore_sets_the_timers_that_were_lost(environments: Environments) -> None:
    """Also one without rows, which a counter sends with the first record after a start."""
    env = environments(1, bundle_size=1)
    sent = [(0, Restored.before, 10_000), (0, arrow.dump(NO_PARTIAL), 20_000), (1, partial(9, 1), 2 * MINUTE_MS + 1)]
    rows = [Row(shard, blob, Instant.of_epoch_milli(at)) for shard, blob, at in sent]
    shards = in_event_time(env, rows, partial_type()).key_by(lambda row: row[0], key_type=Types.INT())
    told = Told()
    for shard, value in collect(shards.process(Restored(Jobs()), texts())):
        if shard == "0":
            for message in decode(value.encode()):
                note(told, 0, message)
    assert told.bins == [(0, 3, 3)]
    assert told.progress[0] == 2 * MINUTE_MS
