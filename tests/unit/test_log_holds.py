"""What of the log must stay: whatever happens between two looks, no restore point needs less than was remembered."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from infra.log_holds import Holds, load, look, lowest, save
from infra.log_size import PartitionLog

TOPIC = "0-0-0"


def test_a_point_had_read_what_was_committed_at_the_look_before_it() -> None:
    first = look(None, TOPIC, {0: 5, 1: 7}, ["a"])
    assert first.points == {"a": {}}
    assert first.floor() == {}  # nobody knows what `a` had read
    second = look(first, TOPIC, {0: 9, 1: 9}, ["a", "b"])
    assert second.points == {"a": {}, "b": {0: 5, 1: 7}}
    third = look(second, TOPIC, {0: 20, 1: 20}, ["b", "c"])
    assert third.points == {"b": {0: 5, 1: 7}, "c": {0: 9, 1: 9}}
    assert third.floor() == {0: 5, 1: 7}


def test_of_another_topic_nothing_is_known() -> None:
    before = look(look(None, TOPIC, {0: 5}, []), TOPIC, {0: 9}, ["a"])
    assert look(before, "1-1-1", {0: 3}, ["a"]).points == {"a": {}}


def test_a_partition_that_one_does_not_know_is_not_known() -> None:
    assert lowest([{0: 3, 1: 4}, {0: 2}]) == {0: 2}
    assert lowest([{0: 3}]) == {0: 3}
    assert lowest([{}, {0: 3}]) == {}


@given(st.data())
def test_no_restore_point_ever_needs_what_lies_below_the_floor(data: st.DataObject) -> None:
    """Checkpoints complete, are committed late or not at all, old ones are removed, and looks fall in between."""
    read, committed, number = 0, 0, 0
    points: dict[str, int] = {}  # what each had really read
    holds: Holds | None = None
    for _ in range(data.draw(st.integers(0, 30))):
        match data.draw(st.sampled_from(["read", "complete", "commit", "remove", "look"])):
            case "read":
                read += data.draw(st.integers(1, 5))
            case "complete":
                number += 1
                points[str(number)] = read
            case "commit" if points:
                committed = max(committed, data.draw(st.sampled_from(sorted(points.values()))))
            case "remove" if len(points) > 1:
                del points[min(points, key=int)]
            case "look":
                seen = committed
                if data.draw(st.booleans()):  # between reading what is committed and listing the points
                    number += 1
                    points[str(number)] = committed = read
                holds = look(holds, TOPIC, {0: seen}, points)
        if holds is not None:
            assert all(known.get(0, 0) <= points[path] for path, known in holds.points.items() if path in points)
            assert holds.floor().get(0, 0) <= min([committed, *points.values()])


def test_what_was_seen_is_remembered_and_a_broken_file_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "log.json"
    assert load(path) is None
    holds = look(look(None, TOPIC, {0: 5}, []), TOPIC, {0: 9}, ["a"])
    save(path, holds)
    assert load(path) == holds
    assert list(path.parent.iterdir()) == [path]
    path.write_bytes(path.read_bytes()[:20])
    assert load(path) is None


def test_a_log_is_trimmed_to_its_bound_once_a_file_can_go() -> None:
    assert PartitionLog(size=1500, segment=500, begin=100, end=1600).keep_from(1000) == 100
    assert PartitionLog(size=2000, segment=500, begin=100, end=2100).keep_from(1000) == 1100
    assert PartitionLog(size=2000, segment=500, begin=100, end=2100).keep_from(0) == 2100
    assert PartitionLog(size=0, segment=500, begin=0, end=0).keep_from(0) == 0
