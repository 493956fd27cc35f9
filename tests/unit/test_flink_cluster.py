"""What is known about jobs without asking a cluster: the ledger, restore points on disk, the lock, the settings."""

import os
from pathlib import Path

import pytest

from contracts.settings import Settings
from contracts.settings_source import load
from infra.flink import client, handover
from infra.flink.ledger import Ledger, Submission
from infra.flink.rest import FlinkError, Rest, Unreachable, cause, until
from infra.flink.restore import local_folder
from infra.flink_cluster import DeployBusy, FlinkCluster, deploy_lock
from tests.conftest import free_ports

OLD, NEW = "a" * 32, "b" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Nothing listens at flink.port."""
    return load(state_dir=tmp_path, flink={"port": free_ports(1)[0]})


def complete(folder: Path, at: float) -> str:
    """A restore point as Flink leaves it; returns its path."""
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(b"state")
    os.utime(folder / "_metadata", (at, at))
    return folder.as_uri()


def checkpoint(settings: Settings, job_id: str, number: int, at: float) -> str:
    return complete(settings.state_path / "flink" / "checkpoints" / job_id / f"chk-{number}", at)


def savepoint(settings: Settings, job_id: str, at: float) -> str:
    return complete(settings.state_path / "flink" / "savepoints" / f"savepoint-{job_id[:6]}-0123456789ab", at)


def test_the_ledger_knows_names_and_replaces_by_job_id(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deeper" / "jobs.json")
    assert ledger.all() == []
    ledger.put(Submission(job_id=OLD, name="data", at=1))
    ledger.put(Submission(job_id=NEW, name="data", at=2))
    ledger.put(Submission(job_id="c", name="other", at=3))
    ledger.put(Submission(job_id=OLD, name="data", at=1, savepoint=("file:///s", 4.0)))
    assert [entry.job_id for entry in Ledger(tmp_path / "deeper" / "jobs.json").of("data")] == [NEW, OLD]
    assert ledger.of("data")[1].savepoint == ("file:///s", 4.0)
    ledger.remove({OLD, "c"})
    assert [entry.job_id for entry in ledger.all()] == [NEW]


def test_the_newest_restore_point_is_of_the_newest_submission_that_left_any(settings: Settings) -> None:
    cluster = FlinkCluster(settings)
    assert cluster.newest_restore_point("data") is None
    cluster.ledger.put(Submission(job_id=OLD, name="data", at=1))
    cluster.ledger.put(Submission(job_id=NEW, name="data", at=2))
    cluster.ledger.put(Submission(job_id="c" * 32, name="other", at=3))
    checkpoint(settings, OLD, 7, at=100)
    newer = checkpoint(settings, NEW, 2, at=200)
    assert cluster.newest_restore_point("data") == newer
    checkpoint(settings, "c" * 32, 9, at=900)
    newest = savepoint(settings, NEW, at=300)
    assert cluster.newest_restore_point("data") == newest
    assert [point.at for point in cluster.restore_points("data")] == [300, 200, 100]


def test_a_clock_that_is_put_back_changes_no_order(settings: Settings) -> None:
    cluster = FlinkCluster(settings)
    cluster.ledger.put(Submission(job_id=OLD, name="data", at=500))
    savepoint(settings, OLD, at=510)
    checkpoint(settings, OLD, 9, at=505)
    cluster.ledger.put(Submission(job_id=NEW, name="data", at=100))
    third = checkpoint(settings, NEW, 10, at=90)
    first = checkpoint(settings, NEW, 8, at=120)
    second = checkpoint(settings, NEW, 9, at=80)
    found = [point.path for point in cluster.restore_points("data")]
    assert found[:3] == [third, second, first]
    assert [OLD[:6] in path for path in found[3:]] == [True, True]
    assert [entry.job_id for entry in cluster.ledger.of("data")] == [NEW, OLD]


def test_a_checkpoint_without_metadata_was_never_completed(settings: Settings) -> None:
    cluster = FlinkCluster(settings)
    cluster.ledger.put(Submission(job_id=OLD, name="data", at=1))
    expected = checkpoint(settings, OLD, 1, at=100)
    (settings.state_path / "flink" / "checkpoints" / OLD / "chk-2").mkdir()
    assert cluster.newest_restore_point("data") == expected


def test_pruning_keeps_the_newest_three_with_state(settings: Settings) -> None:
    cluster = FlinkCluster(settings)
    ids = [letter * 32 for letter in "abcdef"]
    for at, job_id in enumerate(ids):
        cluster.ledger.put(Submission(job_id=job_id, name="data", at=at))
        if job_id != ids[4]:  # never came to a checkpoint
            checkpoint(settings, job_id, 1, at=100 + at)
    savepoint(settings, ids[0], at=110)
    assert set(cluster.prune("data")) == {ids[0], ids[1]}
    assert {entry.job_id for entry in cluster.ledger.all()} == set(ids[2:])
    left = {path.name for path in (settings.state_path / "flink" / "checkpoints").iterdir()}
    assert left == {ids[2], ids[3], ids[5]}
    assert not list((settings.state_path / "flink" / "savepoints").iterdir())
    assert cluster.prune("data") == []


def test_what_former_submissions_left_long_ago_is_given_up(settings: Settings) -> None:
    cluster = FlinkCluster(settings)
    ids = [letter * 32 for letter in "abcd"]
    for at, job_id in enumerate(ids):
        cluster.ledger.put(Submission(job_id=job_id, name="data", at=at))
    checkpoint(settings, ids[0], 1, at=100)
    checkpoint(settings, ids[1], 1, at=101)
    savepoint(settings, ids[1], at=300)
    checkpoint(settings, ids[2], 1, at=120)  # of the newest that has any
    assert cluster.give_up("data", before=99) == []
    assert cluster.give_up("data", before=200) == [ids[0]]
    assert {point.job_id for point in cluster.restore_points("data")} == {ids[1], ids[2]}
    assert cluster.give_up("data", before=1000) == [ids[1]]
    assert cluster.give_up("data", before=1000) == []


def test_where_a_restore_point_lies() -> None:
    assert local_folder("file:///var/a%20b") == Path("/var/a b")
    assert local_folder("/var/c") == Path("/var/c")
    assert local_folder("s3://bucket/checkpoints") is None


def test_what_cannot_be_listed_is_known_from_the_ledger(tmp_path: Path) -> None:
    """A bucket, and a cluster that has forgotten the job: the savepoint it was stopped with is what remains."""
    remote = load(
        state_dir=tmp_path, flink={"port": free_ports(1)[0], "checkpoint_dir": "s3://b/c", "savepoint_dir": "s3://b/s"}
    )
    cluster = FlinkCluster(remote)
    assert cluster.newest_restore_point("data") is None
    cluster.ledger.put(Submission(job_id=OLD, name="data", at=1, savepoint=("s3://b/s/savepoint-a", 5.0)))
    with pytest.raises(Unreachable):  # the cluster may know a newer one
        cluster.newest_restore_point("data")
    assert cluster.prune("data") == []


def test_the_lock_is_held_by_one(settings: Settings) -> None:
    with deploy_lock(settings), pytest.raises(DeployBusy, match="deploy.lock"), deploy_lock(settings, wait=0.2):
        pass
    with deploy_lock(settings):
        pass


def test_nobody_there_is_told_with_the_address_and_the_next_step(settings: Settings) -> None:
    with pytest.raises(Unreachable, match=f"127.0.0.1:{settings.flink.port} to GET /overview.*tidewatch status"):
        FlinkCluster(settings).overview()
    with pytest.raises(Unreachable):
        Rest("127.0.0.1", settings.flink.port, timeout=1).post("/jobs/x/stop", {})


def test_waiting_ends_at_the_deadline() -> None:
    with pytest.raises(FlinkError, match="the impossible took longer than 0 s"):
        until(lambda: None, 0.05, "the impossible", every=0.01)


def test_the_cause_of_a_python_failure_is_its_last_line() -> None:
    trace = """java.lang.RuntimeException: Caught exception while processing timer.
\tat org.apache.flink.Task.run(Task.java:1)
Caused by: java.lang.RuntimeException: Failed to close remote bundle
\tat org.apache.flink.Bundle.close(Bundle.java:2)
\t... 15 more
Caused by: java.lang.RuntimeException: Error received from SDK harness: Traceback (most recent call last):
  File "jobs/data.py", line 11, in open
    raise ValueError("no such table")
ValueError: no such table

\tat org.apache.beam.Client.receive(Client.java:3)
\t... 3 more
"""
    told = cause(trace)
    assert told.startswith("java.lang.RuntimeException: Caught exception while processing timer.")
    assert told.endswith("ValueError: no such table")
    assert cause("") == ""
    assert cause("one line") == "one line"


def test_settings_are_handed_over_whole_and_private(tmp_path: Path) -> None:
    given = load(state_dir=tmp_path, clickhouse={"password": 'it\'s: "quoted"'}, api={"tokens": ["t1"]})
    path = handover.write(given, tmp_path / "settings.yaml")
    assert path.stat().st_mode & 0o777 == 0o600
    received = load(path)
    assert received.model_dump(exclude={"home"}) == given.model_dump(exclude={"home"})
    assert received.state_path == given.state_path
    assert handover.fingerprint(received.model_copy(update={"home": given.home})) == handover.fingerprint(given)


def test_the_fingerprint_is_of_what_jobs_see(settings: Settings) -> None:
    api = settings.model_copy(update={"api": settings.api.model_copy(update={"workers": 9})})
    jobs = settings.model_copy(update={"jobs": settings.jobs.model_copy(update={"archive_seconds": 9.0})})
    assert handover.fingerprint(api) == handover.fingerprint(settings)
    assert handover.fingerprint(jobs) != handover.fingerprint(settings)


def test_without_the_jars_of_flink_nothing_is_submitted(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "tools" / "flink").mkdir(parents=True)
    empty = settings.model_copy(update={"tools_dir": tmp_path / "tools"})
    with pytest.raises(FlinkError, match=f"no jars in {tmp_path}/tools/flink: run `make setup`"):
        client.run(empty, client.Job("jobs.data", [], tmp_path / "code.zip"), timeout=10)
