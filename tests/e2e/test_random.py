"""Random tags by every way in, in any order, against the oracle."""

from hypothesis import HealthCheck, given, settings

from contracts.tags import UserTag
from tests.e2e.strategies import DELIVERIES, QUESTIONS, Delivery, Question
from tests.e2e.world import ENCODERS, World, questions

EVERYTHING: list[UserTag] = []  # what all examples sent, for one more look at the end


# An example takes as long as the flushes of the jobs, a second or so. The stack outlives examples: its oracle
# knows the tags of all of them.
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(DELIVERIES, QUESTIONS)
def test_random_tags_and_questions_agree_with_the_oracle(
    world: World, deliveries: list[Delivery], asked: list[Question]
) -> None:
    sent = []
    for way, tags in deliveries:
        if way == "post":
            for tag in tags:
                world.post(tag)
        elif way in ENCODERS:
            world.post_bulk(tags, way)
        else:
            world.produce(tags, times=2 if way == "twice" else 1, partition=len(tags) % 2)
        sent += tags
    EVERYTHING.extend(sent)
    world.agree([*questions(sent), *(one.about(EVERYTHING[-1 - one.tag % len(EVERYTHING)]) for one in asked)])


def test_nothing_was_counted_twice_afterwards(world: World) -> None:
    """An answer that was right once stays right: no flush, merge or checkpoint since has added anything."""
    for query in questions(EVERYTHING):
        assert world.check(query) is None
