"""The whole stack as `tidewatch up` runs it, started once for this folder, and what the tests share on it."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyFlink uses, at import, much that is deprecated; `tidewatch rebuild` imports it
    from pyflink.table import StreamTableEnvironment  # noqa: F401

from cli import supervision
from contracts.settings import Settings
from contracts.settings_source import load
from tests.conftest import free_ports, make_settings
from tests.e2e.world import World

START_SECONDS = 480.0  # machines of CI are slow, and may be busy with more than us
# Shorter clocks than the defaults: tests wait for each flush.
CANARY = {"canary_seconds": 20, "canary_late_seconds": 40}  # an end needs a bin of 10 s without one
# Hardly nicer than the tests beside, which would else have all of the machine while Flink here has none.
SUPERVISOR = {"nice": 1, "start_timeout_seconds": START_SECONDS}
# A broker that waits for a core is not away: events that come meanwhile are to be taken.
API = {"breaker_seconds": 8.0}
JOBS = {"archive_seconds": 0.5, "aggregates_seconds": 0.5, "profiles_seconds": 0.2}


@pytest.fixture(scope="package")
def stack(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Everything is ready; the value is the stack's settings. The folder stays after failures."""
    folder = Path(tempfile.mkdtemp(prefix="tidewatch-e2e-"))
    config = folder / "e2e.yaml"
    wanted: dict[str, Any] = make_settings(folder)
    wanted["api"] |= API | {"statsd_port": free_ports(1)[0]}
    wanted["alerts"] |= CANARY
    wanted["supervisor"] |= SUPERVISOR
    config.write_text(yaml.safe_dump(wanted | {"jobs": JOBS}))
    settings = load(config)
    supervisor = supervision.start(settings, tied=True)
    try:
        supervision.wait_ready(settings, supervisor, lambda _: None, START_SECONDS)
        yield settings
    finally:
        supervision.stop(settings)
        supervisor.wait()
    if not request.session.testsfailed:
        shutil.rmtree(folder)


@pytest.fixture(scope="package")
def world(stack: Settings) -> Iterator[World]:
    """One oracle of all that the tests of this folder send; closed after its last word."""
    world = World(stack)
    yield world
    world.close()
