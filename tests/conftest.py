"""The real parts, for tests: each started once a run, when first asked for, on free ports and in a folder of its own.

Tests share them, so each works with names of its own (topics, cookies, event times far apart). Whoever kills a part
starts it again before it ends.
"""

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from xdist.scheduler import LoadScopeScheduling

from contracts.settings import CONFIG_VARIABLE, Settings
from contracts.settings_source import load
from infra import topics as kafka_topics
from infra.embedded.child import Child
from infra.embedded.clickhouse import ClickHouse
from infra.embedded.flink import JobManager, TaskManager
from infra.embedded.kafka import Kafka
from infra.embedded.part import Part
from stores import migrations

CHECKOUT = Path(__file__).parent.parent
START_SECONDS = 240.0  # machines of CI are slow, and may be busy with more than us
STOP_SECONDS = 20.0
# Above what services use, below what the kernel gives to outgoing connections, which could take a port in between.
PORTS = range(12_000, 32_000)
# Two processes that share the tests choose from ports of their own, as a port is used some time after it was chosen.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_given: set[int] = set()


class RealPart:
    """A part of the embedded stack, running: `kill()` is SIGKILL to all of it, `start()` brings it back."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.start()

    def start(self) -> None:
        """Returns when it answers."""
        self.child = Child(self.part)
        self.child.wait_ready(START_SECONDS)

    def kill(self) -> None:
        self.child.kill()

    def stop(self) -> None:
        self.child.stop(STOP_SECONDS)


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens, and which were not given before: whoever was may not listen yet."""
    found: list[int] = []
    own = PORTS[WORKER::WORKERS]
    for port in random.sample(own, len(own)):  # noqa: S311  # chosen at random so that two runs do not meet
        if port in _given:
            continue
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            _given.update(found)
            return found
    raise OSError("no free ports")


def make_settings(folder: Path) -> dict[str, object]:
    """As YAML would hold them: small, quick, everything below `folder` and on free ports."""
    ports = iter(free_ports(11))
    return {
        "home": str(CHECKOUT),
        "state_dir": str(folder),
        "kafka": {"port": next(ports), "controller_port": next(ports)},
        "clickhouse": {"port": next(ports), "native_port": next(ports)},
        "flink": {
            "port": next(ports),
            "jobmanager_port": next(ports),
            "jobmanager_metrics_port": next(ports),
            "taskmanager_metrics_port": next(ports),
            "slots": 8,
            "checkpoint_seconds": 2,
            "deploy_seconds": 360,  # machines of CI are slow
        },
        "api": {"port": next(ports), "statsd_port": 0},
        "alerts": {"port": next(ports)},
        "supervisor": {"port": next(ports)},
    }


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """In effect for every process that a test starts, too, by TIDEWATCH_CONFIG. The folder stays after failures."""
    folder = Path(tempfile.mkdtemp(prefix="tidewatch-"))
    config = folder / "settings.yaml"
    config.write_text(yaml.safe_dump(make_settings(folder)))
    before = os.environ.get(CONFIG_VARIABLE)
    os.environ[CONFIG_VARIABLE] = str(config)
    yield load()
    if before is None:
        del os.environ[CONFIG_VARIABLE]
    else:
        os.environ[CONFIG_VARIABLE] = before
    if not request.session.testsfailed:
        shutil.rmtree(folder)


def _running(part: Part) -> Iterator[RealPart]:
    real = RealPart(part)
    yield real
    real.kill()  # an orderly end of all of them takes ten seconds, for a folder that goes with them


@pytest.fixture(scope="session")
def broker(settings: Settings) -> Iterator[RealPart]:
    """Kafka, at `settings.bootstrap_servers`."""
    yield from _running(Kafka(settings))


@pytest.fixture(scope="session")
def topics(settings: Settings, broker: RealPart) -> dict[str, str]:
    """The platform's topics exist; {name: id as UUID text}."""
    return kafka_topics.ensure(settings, START_SECONDS)


@pytest.fixture(scope="session")
def clickhouse(settings: Settings) -> Iterator[RealPart]:
    """ClickHouse with all migrations applied; connect by `stores.clickhouse.connect(settings)`."""
    for real in _running(ClickHouse(settings)):
        migrations.apply(settings)
        yield real


@pytest.fixture(scope="session")
def jobmanager(settings: Settings) -> Iterator[RealPart]:
    """Flink's JobManager, at `settings.flink_host:settings.flink.port`."""
    yield from _running(JobManager(settings))


@pytest.fixture(scope="session")
def flink(settings: Settings, jobmanager: RealPart) -> Iterator[RealPart]:
    """A Flink session cluster; the value is its TaskManager."""
    yield from _running(TaskManager(settings))


class TogetherScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """What stays together when two processes share the work (`make test`): the tests of a file, and all of the whole
    stack, which share one; they wait a lot, and the others go on beside."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TogetherScheduling:
    """Called by pytest-xdist."""
    return TogetherScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole stack comes first, as it takes longest. The operators' tests come after all that starts a Flink node:
    they run Python workers within this process, which the node would find and use in place of its own. Last those that
    are short, so that both processes end at the same time.
    """
    rooms = ["tests/e2e/", "tests/integration/", "tests/flink/"]
    items.sort(key=lambda item: next((at for at, room in enumerate(rooms) if room in item.nodeid), len(rooms)))
