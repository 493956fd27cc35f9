"""Hypothesis on a machine busy with other things: few examples, no deadlines, and how to see a failure again."""

from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None, print_blob=True)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=1000)
# `pytest --hypothesis-profile=thorough` chooses the other; that option is looked at before this file is.
if settings.get_current_profile_name() == "default":
    settings.load_profile("quick")
