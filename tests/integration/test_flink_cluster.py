"""Submitting, stopping with a savepoint and resuming, on a real session cluster, with code of the tests' own."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from contracts.settings import Settings
from infra import package
from infra.flink.rest import until
from infra.flink_cluster import FlinkCluster, FlinkError, JobMetrics, RestoreFailed
from tests.conftest import RealPart

NAME = "count"
SECONDS = 240.0  # a machine under load takes a minute for one start
# Counts for ever, four keys; each worker says in a file how far it is, by a function that lives in another module.
JOB = '''
import sys
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment
from contracts.settings_source import load
from jobs.functions.count import Count

if "--fail" in sys.argv:
    raise SystemExit("told to fail, state_dir is " + str(load().state_path))
env = StreamExecutionEnvironment.get_execution_environment()
env.set_parallelism(1)
tables = StreamTableEnvironment.create(env)
tables.get_config().set("table.exec.uid.generation", "ALWAYS").set("table.exec.uid.format", "<id>_<transformation>")
tables.execute_sql("""CREATE TABLE numbers (k INT) WITH (
    'connector' = 'datagen', 'rows-per-second' = '100', 'fields.k.min' = '0', 'fields.k.max' = '3')""")
numbers = tables.to_data_stream(tables.sql_query("SELECT k FROM numbers"))
counted = numbers.key_by(lambda row: row[0], key_type=Types.INT()).process(Count(sys.argv[1]), Types.LONG())
counted.uid("count").filter(lambda count: False).uid("nothing").print().uid("print")
env.execute("count")
'''
FUNCTION = """
from pyflink.common import Types
from pyflink.datastream.functions import KeyedProcessFunction

class Count(KeyedProcessFunction):
    def __init__(self, path):
        self.path = path

    def open(self, context):
        from pyflink.datastream.state import ValueStateDescriptor
        import sql
        self.count = context.get_state(ValueStateDescriptor("count", Types.LONG()))
        self.output = open(self.path, "a", buffering=1)
        self.version = sql.read("queries/version").strip()

    def process_element(self, row, context):
        count = (self.count.value() or 0) + 1
        self.count.update(count)
        self.output.write(f"{self.version} {row[0]} {count}\\n")
        yield count
"""


def make_code(folder: Path, version: str) -> Path:
    for name in (*package.FOLDERS, "jobs/functions"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    for name in ("contracts", "sql"):
        for source in (package.ROOT / name).glob("*.py"):
            (folder / name / source.name).write_bytes(source.read_bytes())
    (folder / "sql" / "queries").mkdir()
    (folder / "sql" / "queries" / "version.sql").write_text(version)
    (folder / "jobs" / "count.py").write_text(JOB)
    (folder / "jobs" / "functions" / "count.py").write_text(FUNCTION)
    return package.store(folder / "code", folder)


@pytest.fixture(scope="module")
def cluster(settings: Settings, flink: RealPart) -> FlinkCluster:
    return FlinkCluster(settings)


@pytest.fixture(autouse=True)
def ended(cluster: FlinkCluster) -> Iterator[None]:
    """Nothing runs after a test."""
    yield
    running = cluster.running(NAME)
    if running:
        cluster.cancel(running, SECONDS)


def counts(path: Path) -> list[tuple[str, int, int]]:
    """(version of the code, key, count) as the workers wrote them."""
    whole = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(version, int(key), int(count)) for version, key, count in whole]


class Stopped(NamedTuple):
    """A job that was stopped with a savepoint, and how it was while it ran."""

    id: str
    output: Path
    running: str | None
    metrics: JobMetrics
    restore_point: str | None
    savepoint: str


@pytest.fixture(scope="module")
def stopped(cluster: FlinkCluster, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    folder = tmp_path_factory.mktemp("stopped")
    output = folder / "counts.txt"
    output.touch()
    assert cluster.running(NAME) is None
    job = cluster.submit(NAME, "jobs.count", [str(output)], code=make_code(folder / "1", "v1"), timeout=SECONDS)
    try:
        running = cluster.running(NAME)
        cluster.wait_healthy(job, SECONDS)
        until(lambda: len(counts(output)) >= 100 or None, SECONDS, "the first counts")
        metrics, newest = cluster.metrics(job, time.time()), cluster.newest_restore_point(NAME)
        return Stopped(job, output, running, metrics, newest, cluster.stop_with_savepoint(job, SECONDS))
    except Exception:
        cluster.cancel(job, SECONDS)  # the next test begins with nothing that runs
        raise


def test_a_job_goes_on_from_its_savepoint_with_other_code(
    settings: Settings, cluster: FlinkCluster, stopped: Stopped, tmp_path: Path
) -> None:
    first, output, metrics = stopped.id, stopped.output, stopped.metrics
    assert stopped.running == first
    assert (metrics.state, metrics.restarts) == ("RUNNING", 0)
    assert metrics.checkpoints >= 1
    assert metrics.checkpoint_age is not None
    assert metrics.checkpoint_age < SECONDS
    assert metrics.checkpoint_bytes
    assert stopped.restore_point is not None
    assert stopped.restore_point.startswith(f"{settings.checkpoint_dir}/{first}/chk-")

    assert cluster.running(NAME) is None
    assert cluster.state(first) == "FINISHED"
    newest = cluster.newest_restore_point(NAME)
    assert newest is not None
    assert newest.rpartition("/")[2] == stopped.savepoint.rpartition("/")[2]
    before = len(counts(output))

    code = make_code(tmp_path / "2", "v2")
    second = cluster.submit(NAME, "jobs.count", [str(output)], newest, code=code, timeout=SECONDS)
    until(lambda: len(counts(output)) >= before + 100 or None, SECONDS, "counts of the other code")
    assert {version for version, _, _ in counts(output)} == {"v1", "v2"}
    for key in range(4):  # each number once, in order: state and nothing but the state went on
        told = [count for _, one, count in counts(output) if one == key]
        assert told == list(range(1, len(told) + 1))
    assert cluster.runs_already(second, [str(output)], code)
    assert not cluster.runs_already(second, [str(output)], tmp_path / "other.zip")

    cluster.wait_healthy(second, SECONDS)
    cluster.cancel(second, SECONDS)
    newest = cluster.newest_restore_point(NAME)
    assert newest is not None
    assert f"/{second}/chk-" in newest


def test_a_job_that_cannot_be_built_says_why(settings: Settings, cluster: FlinkCluster, tmp_path: Path) -> None:
    code = make_code(tmp_path / "1", "v1")
    with pytest.raises(FlinkError, match=f"submitted nothing(.|\n)*told to fail, state_dir is {settings.state_path}\n"):
        cluster.submit(NAME, "jobs.count", ["nowhere", "--fail"], code=code, timeout=SECONDS)
    assert cluster.running(NAME) is None
    folder = settings.state_path / "flink" / "client" / "jobs.count"
    assert (folder / "submit.log").exists()
    assert not (folder / "settings.yaml").exists()


def test_a_job_that_fails_at_work_is_not_healthy(cluster: FlinkCluster, tmp_path: Path) -> None:
    code = make_code(tmp_path / "1", "v1")
    job = cluster.submit(NAME, "jobs.count", [str(tmp_path / "no" / "such" / "folder")], code=code, timeout=SECONDS)
    with pytest.raises(FlinkError, match=f"job {job} does not run: .*FileNotFoundError"):
        cluster.wait_healthy(job, SECONDS)
    assert cluster.running(NAME) == job  # Flink tries again for ever; whoever waits decides


def test_a_restore_point_that_is_not_there_is_named(cluster: FlinkCluster, tmp_path: Path) -> None:
    code = make_code(tmp_path / "1", "v1")
    with pytest.raises(FlinkError, match="no-such-savepoint"):
        output, savepoint = str(tmp_path / "x"), "file:///no-such-savepoint"
        job = cluster.submit(NAME, "jobs.count", [output], savepoint, code=code, timeout=SECONDS)
        cluster.wait_healthy(job, SECONDS)


def test_a_broken_restore_point_is_told_from_other_failures(
    cluster: FlinkCluster, stopped: Stopped, tmp_path: Path
) -> None:
    """Cut off, and never one."""
    metadata = (Path(stopped.savepoint.removeprefix("file:")) / "_metadata").read_bytes()
    code = make_code(tmp_path / "1", "v1")
    for number, damaged in enumerate([b"garbage" * 100, metadata[: len(metadata) // 2]]):
        broken = tmp_path / f"savepoint-{number}"
        broken.mkdir()
        (broken / "_metadata").write_bytes(damaged)
        with pytest.raises(RestoreFailed, match=f"{broken} cannot be restored.*tidewatch deploy --from"):
            cluster.submit(NAME, "jobs.count", [str(stopped.output)], str(broken), code=code, timeout=SECONDS)
    assert cluster.running(NAME) is None
