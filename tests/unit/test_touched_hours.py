"""What is remembered of touched hours, and for how long."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.touched_hours import KEPT_SECONDS, TouchedHours


def test_hours_are_asked_for_once_in_a_while() -> None:
    reads = iter([(7, set[int]()), (8, {3600})])
    now = [0.0]
    touched = TouchedHours(lambda: next(reads), lambda: now[0])
    assert touched.rolled(3600) == 7
    now[0] = KEPT_SECONDS - 0.001
    assert touched.rolled(3600) == 7
    now[0] = KEPT_SECONDS + 0.001
    assert (touched.rolled(3600), touched.rolled(7200)) == (None, 8)


def test_nobody_waits_for_a_store_that_hangs() -> None:
    """Meanwhile every hour is taken for touched, which is slower, and right."""
    asked, answered = threading.Event(), threading.Event()

    def read() -> tuple[int, set[int]]:
        asked.set()
        assert answered.wait(60)
        return 7, set()

    touched = TouchedHours(read, lambda: 0.0)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(touched.rolled, 3600)
        assert asked.wait(60)
        assert touched.rolled(3600) is None
        answered.set()
        assert slow.result(60) == 7
    assert touched.rolled(3600) == 7


def test_a_store_that_is_away_is_asked_again() -> None:
    errors = [OSError("away")]

    def read() -> tuple[int, set[int]]:
        if errors:
            raise errors.pop()
        return 7, {3600}

    touched = TouchedHours(read, lambda: 0.0)
    with pytest.raises(OSError, match="away"):
        touched.rolled(3600)
    assert touched.rolled(3600) is None
