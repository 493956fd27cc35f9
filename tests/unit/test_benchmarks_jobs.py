"""What the figures of the jobs rest on: the events that are made, and how a rate is taken from steps."""

import pyarrow as pa
import pytest

from benchmarks.failed import BenchmarkFailed
from benchmarks.rig.counted import Counted, Sums
from benchmarks.rig.events import Stream
from benchmarks.rig.progress import Course
from contracts.arrow_events import good_rows
from contracts.events import EVENT_SCHEMA, tags_of
from contracts.tags import event_time
from contracts.times import MINUTE_MS
from testbed.generator import START_MS

STREAM = Stream(seed=1, events=3000, a_minute=1000, groups=40)


def whole(stream: Stream, rows: int) -> pa.Table:
    return pa.Table.from_batches(stream.batches(rows)).combine_chunks()


def test_events_are_the_same_in_whatever_pieces_they_are_made() -> None:
    assert whole(STREAM, 70).equals(whole(STREAM, 3000))
    assert not whole(STREAM, 3000).equals(whole(Stream(2, 3000, 1000, 40), 3000))


def test_events_are_valid_and_in_the_order_of_their_times() -> None:
    events = STREAM.batch(0, STREAM.events)
    assert events.schema.equals(EVENT_SCHEMA)
    assert good_rows(events, START_MS + 3 * MINUTE_MS).false_count == 0
    times = events.column("time").to_pylist()
    assert times == sorted(times) == [event_time(tag) for tag in tags_of(events)]
    assert (times[0], times[-1] // MINUTE_MS) == (START_MS, START_MS // MINUTE_MS + 2)


@pytest.mark.parametrize(("groups", "least", "most"), [(40, 35, 40), (0, 2990, 3000)])
def test_as_many_groups_occur_as_were_asked_for(groups: int, least: int, most: int) -> None:
    keys = ["action", "origin", "brand_id", "category_id"]
    found = whole(Stream(1, 3000, 3000, groups), 3000).group_by(keys).aggregate([]).num_rows
    assert least <= found <= most


def test_what_must_come_out_is_counted_by_minute_and_action() -> None:
    counted = Counted()
    for events in STREAM.batches(70):
        counted.add(events)
    expected: dict[tuple[int, str], Sums] = {}
    for event in STREAM.batch(0, STREAM.events).to_pylist():
        key = (event["time"] // MINUTE_MS, event["action"])
        before = expected.get(key, Sums(0, 0))
        expected[key] = Sums(before.events + 1, before.price + event["price"])
    assert counted.sums == expected


def test_a_rate_leaves_the_last_step_out_and_adds_lanes_up() -> None:
    steady = [(float(second), 100 * second) for second in (1, 2, 3, 4)]
    course = Course({0: [*steady, (9.0, 450)], 1: steady[:2]}, {"a": 0.5, "b": 1.5}, 1000)
    assert course.rate == 200
    assert course.cpu_us == 2000


def test_one_step_tells_no_rate() -> None:
    with pytest.raises(BenchmarkFailed, match="one step"):
        _ = Course({0: [(1.0, 100)]}).rate
