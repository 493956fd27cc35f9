"""Hypothesis on a machine busy with other things: few examples, no deadlines, and how to see a failure again.

And what several files of this folder share.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.alerting import Desk, sqlite_store

# Nor is it an error that examples are made slowly: it goes by the clock, too.
settings.register_profile(
    "quick", max_examples=40, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("quick"), max_examples=1000)
# `pytest --hypothesis-profile=thorough` chooses the other; that option is looked at before this file is.
if settings.get_current_profile_name() == "default":
    settings.load_profile("quick")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The alert service's stages over a store of the test's own."""
    desk = Desk(sqlite_store(tmp_path))
    yield desk
    desk.store.close()
