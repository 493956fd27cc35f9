"""What is remembered of touched hours, and for how long."""

import pytest

from api.touched_hours import KEPT_SECONDS, KEPT_TIMES, TouchedHours


class World:
    """A clock, and hours that are read from a store which takes `slow` seconds to answer."""

    def __init__(self, slow: float) -> None:
        self.now, self.slow, self.reads = 0.0, slow, 0
        self.hours: set[int] = set()

    def read(self) -> set[int]:
        self.reads += 1
        self.now += self.slow
        return set(self.hours)


@pytest.mark.parametrize(("slow", "kept"), [(0.003, KEPT_SECONDS), (0.3, 0.3 * KEPT_TIMES)])
def test_hours_are_asked_for_once_in_a_while(slow: float, kept: float) -> None:
    world = World(slow)
    touched = TouchedHours(world.read, lambda: world.now)
    assert not touched.holds(3600)
    world.hours.add(3600)
    world.now = kept - 0.001
    assert not touched.holds(3600)
    world.now = kept + 0.001
    assert (touched.holds(3600), touched.holds(7200)) == (True, False)
    assert world.reads == 2


def test_a_store_that_is_away_is_asked_again() -> None:
    errors = [OSError("away")]

    def read() -> set[int]:
        if errors:
            raise errors.pop()
        return {3600}

    touched = TouchedHours(read, lambda: 0.0)
    with pytest.raises(OSError, match="away"):
        touched.holds(3600)
    assert touched.holds(3600)
