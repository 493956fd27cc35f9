"""On SIGTERM the API sends what it holds and ends within ten seconds, as operators are told."""

from api import __main__ as program
from api import services
from tests.integration.api_server import DRAIN_SECONDS


def test_what_waits_is_given_up_in_time() -> None:
    """By its own clocks, whatever else the machine does: the integration test of it allows a busy machine more."""
    assert services._DRAIN_SECONDS < program._KILL_SECONDS < DRAIN_SECONDS == 10
