"""`tidewatch deploy` on real parts: code is replaced while traffic goes on, and what was counted is what was sent.

The tests share the job, because each start of it takes many seconds; each begins by seeing that it runs, as the one
before left it. For the same reason it has one worker but where the parallelism is what is tested.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from cli import job_start
from cli.deploy import Options, deploy
from cli.job_start import JOBS, DeployError, Start
from contracts import names
from contracts.settings import Settings
from infra import topics as kafka_topics
from infra.flink.rest import FlinkError, until
from infra.flink_cluster import FlinkCluster
from tests.conftest import RealPart
from tests.integration.deploying import (
    BATCH,
    LOOK,
    SECONDS,
    Sender,
    cancel,
    command,
    counted,
    expect_counted,
    failing_code,
    other_code,
    parallelism,
    quick,
    topics_named,
)


@pytest.fixture(scope="module")
def own(
    settings: Settings, broker: RealPart, clickhouse: RealPart, flink: RealPart, module_folder: Path
) -> Iterator[Settings]:
    """Topics and a state folder of these tests' own; the job is gone afterwards."""
    own = quick(settings.model_copy(update={"topics": topics_named("deployed"), "state_dir": module_folder}))
    kafka_topics.ensure(own, SECONDS)
    yield own
    cancel(FlinkCluster(own))


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deploy")


@pytest.fixture(scope="module")
def wide(own: Settings) -> Settings:
    """With another parallelism."""
    return own.model_copy(update={"flink": own.flink.model_copy(update={"parallelism": 2})})


@pytest.fixture(scope="module")
def code(module_folder: Path) -> Path:
    return other_code(module_folder / "ours")


@pytest.fixture(scope="module")
def other(module_folder: Path) -> Path:
    return other_code(module_folder / "other", another='"""A module more."""\n')


@pytest.fixture(scope="module")
def sender(own: Settings) -> Sender:
    return Sender(own)


def test_other_code_goes_on_from_a_savepoint(
    own: Settings, wide: Settings, sender: Sender, code: Path, other: Path
) -> None:
    """With another parallelism, too, in the middle of blocks: each keeps its rows."""
    cluster = FlinkCluster(own)
    told: list[str] = []
    with sender:
        first = deploy(own, Options(code=code), told.append)
        assert first is not None
        assert first == cluster.running(names.DATA_JOB)
        until(lambda: counted(own)[1] or None, SECONDS, "the first count", every=LOOK)

        # The same again is no reason to stop what runs; a dry run stops nothing either.
        assert deploy(own, Options(code=code), told.append) == first
        assert "--force" in told[-1]
        assert deploy(own, Options(code=code, force=True, dry_run=True), told.append) is None
        assert command(own, "deploy", "--force", "--dry-run") == (0, f"would stop data ({first}) with a savepoint")
        assert cluster.running(names.DATA_JOB) == first

        second = deploy(wide, Options(code=other), told.append)
        assert second is not None
        assert second == cluster.running(names.DATA_JOB) != first
        assert (parallelism(own, first), parallelism(own, second)) == (1, 2)
        entry = cluster.ledger.of(names.DATA_JOB)[0]
        assert (entry.job_id, entry.code) == (second, other.stem)
        assert entry.restored is not None
        assert "/savepoint-" in entry.restored
    expect_counted(own, sender.sent)


def test_a_job_that_fails_can_be_replaced(
    own: Settings, wide: Settings, sender: Sender, code: Path, other: Path, tmp_path: Path
) -> None:
    """It takes no savepoint; its newest restore point serves, here of a job of two workers for one of a single one."""
    cluster = FlinkCluster(own)
    running = deploy(wide, Options(code=other), print)
    assert running is not None
    assert parallelism(own, running) == 2
    savepoint = cluster.stop_with_savepoint(running, SECONDS)
    job, args = JOBS[names.DATA_JOB], cluster.ledger.of(names.DATA_JOB)[0].args
    failing = cluster.submit(job.name, job.module, args, savepoint, code=failing_code(tmp_path), timeout=SECONDS)
    with sender:
        until(lambda: cluster.problem(failing) or None, SECONDS, "a failure at work")
        replaced = deploy(own, Options(code=code), print)
        assert replaced == cluster.running(names.DATA_JOB) not in (None, failing)
    assert replaced is not None
    assert parallelism(own, replaced) == 1, "it was 2, and state goes back to one worker"
    expect_counted(own, sender.sent)


def test_code_that_does_not_work_gives_way_to_the_former(
    own: Settings, sender: Sender, code: Path, tmp_path: Path
) -> None:
    cluster = FlinkCluster(own)
    running = deploy(own, Options(code=code), print)
    assert running is not None
    former = cluster.ledger.of(names.DATA_JOB)[0]

    # What cannot even be imported is refused while the other goes on.
    unimportable = other_code(tmp_path / "first", data="import nowhere_to_be_found\n")
    with pytest.raises(FlinkError, match="nowhere_to_be_found"):
        deploy(own, Options(code=unimportable), print)
    assert cluster.running(names.DATA_JOB) == running

    failing = failing_code(tmp_path / "second")
    with sender:
        with pytest.raises(DeployError, match=r"broken at work(.|\n)*runs again as \w+, restored from file:"):
            deploy(own, Options(code=failing), print)
        assert cluster.running(names.DATA_JOB) not in (None, running)
        assert cluster.ledger.of(names.DATA_JOB)[0].code == former.code
    expect_counted(own, sender.sent)


def test_lost_state_is_rebuilt_on_demand_only(own: Settings, sender: Sender, code: Path) -> None:
    cluster = FlinkCluster(own)
    deploy(own, Options(code=code), print)
    cancel(cluster)
    assert cluster.newest_restore_point(names.DATA_JOB) is not None
    ledger = own.state_path / "flink" / "jobs.json"
    ledger.rename(ledger.with_name("lost.json"))
    with pytest.raises(DeployError, match=r"refused(.|\n)*--from(.|\n)*--rebuild"):
        deploy(own, Options(code=code), print)
    status, said = command(own, "deploy")
    assert (status, said.startswith("error: data counted before")) == (2, True)
    assert cluster.running(names.DATA_JOB) is None
    with sender:
        assert deploy(own, Options(code=code, rebuild=True), print)
    expect_counted(own, sender.sent)


def test_a_restore_below_the_beginning_of_the_log_is_refused(own: Settings, sender: Sender, code: Path) -> None:
    cluster = FlinkCluster(own)
    deploy(own, Options(code=code), print)
    cancel(cluster)
    before = sender.sent
    with sender:
        until(lambda: sender.sent >= before + 10 * BATCH or None, SECONDS, "traffic that nobody reads")
    everything = [TopicPartition(own.topics.user_tags.name, partition, -1) for partition in range(2)]
    admin = AdminClient({**own.kafka_client})  # must outlive its futures
    for future in admin.delete_records(everything).values():
        future.result(SECONDS)
    with pytest.raises(DeployError, match=r"deployed-tags/0: tidewatch-\w+ read up to \d+, the log begins at \d+"):
        job_start.refuse_gaps(own, JOBS[names.DATA_JOB])
    with pytest.raises(DeployError, match="no longer holds"):
        deploy(own, Options(code=code), print)
    assert cluster.running(names.DATA_JOB) is None


def test_a_job_that_never_came_to_a_checkpoint_starts_anew(own: Settings, code: Path, tmp_path: Path) -> None:
    """There was no state yet that could be lost: what it wrote is written again under the same keys."""
    rare = own.flink.model_copy(update={"checkpoint_seconds": 3600.0})
    young = own.model_copy(update={"topics": topics_named("young"), "state_dir": tmp_path, "flink": rare})
    ids = kafka_topics.ensure(young, SECONDS)
    cluster, job = FlinkCluster(young), JOBS[names.DATA_JOB]
    topic_id = ids[young.topics.user_tags.name]
    assert job_start.choose(young, cluster, job, ids) == Start(None)
    cluster.submit(job.name, job.module, job_start.arguments(young, job, ids), code=code, timeout=SECONDS)
    with Sender(young):
        until(lambda: job_start.is_known(young, job, topic_id) or None, SECONDS, "the first block", every=LOOK)
    cancel(cluster)
    assert job_start.choose(young, cluster, job, ids) == Start(None)
