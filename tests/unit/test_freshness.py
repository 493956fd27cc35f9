"""For how long the oldest record waits, against a log whose every record's time is known."""

from hypothesis import given
from hypothesis import strategies as st

from infra.embedded.freshness import MOST_SEEN, Waiting

STEP = 5.0


def test_a_pipeline_that_stands_grows_old_and_is_young_again_when_it_goes_on() -> None:
    waiting = Waiting()
    assert waiting.seconds(10, 10, 0) == 0.0
    assert [waiting.seconds(10, 10 + look, look * STEP) for look in range(1, 4)] == [0.0, STEP, 2 * STEP]
    assert waiting.seconds(12, 13, 20.0) == 5.0, "the 13th was first seen at 15"
    assert waiting.seconds(13, 13, 25.0) == 0.0


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    waiting = Waiting()
    waiting.seconds(0, 100, 0.0)
    assert waiting.seconds(0, 5, 50.0) == 0.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=60))
def test_it_is_the_age_of_the_oldest_to_a_look(moves: list[tuple[int, int]]) -> None:
    """Each look some records more, and some of them committed."""
    waiting, born, committed = Waiting(), list[float](), 0
    for look, (came, went) in enumerate(moves):
        now = look * STEP
        born += [now] * came
        committed = min(len(born), committed + went)
        wanted = now - born[committed] if committed < len(born) else 0.0
        assert waiting.seconds(committed, len(born), now) == wanted


def test_what_it_remembers_is_bounded_and_no_age_is_told_too_young() -> None:
    waiting, looks = Waiting(), 10 * MOST_SEEN
    for look in range(looks):
        assert waiting.seconds(0, look + 1, look * STEP) == look * STEP
    assert len(waiting._seen) <= MOST_SEEN
    now = looks * STEP
    ages = [waiting.seconds(committed, looks, now) for committed in range(0, looks, 100)]
    assert ages == sorted(ages, reverse=True)
    assert all(age >= now - at * STEP for age, at in zip(ages, range(0, looks, 100), strict=True))
