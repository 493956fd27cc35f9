"""Files that say where things stand, damaged in every way: each is named or mended, and nothing is made up."""

import json
import os
from pathlib import Path

import pytest

from contracts.log_lines import LineLogger
from contracts.settings import Settings
from contracts.settings_source import load
from infra import state_file
from infra.embedded import instance
from infra.embedded.api import Api
from infra.embedded.kafka import CLUSTER_ID, Kafka
from infra.embedded.part import PartError
from infra.flink.ledger import Ledger, LedgerBroken, Submission

DAMAGE = [b"", b"\0" * 100, b"{", b"[]", b"17", b'{"kafka": 3}', b'{"kafka": ["x", "y", "z"]}', b"\xff\xfe"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(state_dir=tmp_path)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deeper" / "file.json"
    state_file.replace(path, "first", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        state_file.replace(path, "second")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_note_of_processes_that_cannot_be_read_is_as_none(settings: Settings, damage: bytes) -> None:
    for name in ("supervisor.json", "children.json"):
        (settings.state_path / name).write_bytes(damage)
    assert instance.find(settings) is None
    assert instance.end_leftovers(settings.state_path) == []
    assert not (settings.state_path / "children.json").exists()


def test_a_supervisor_is_known_by_its_note(settings: Settings) -> None:
    """Which no step of the clock changes: it holds ticks since the machine's start."""
    noted = instance.this_process(os.getpid())
    (settings.state_path / "supervisor.json").write_text(json.dumps(noted))
    assert instance.find(settings) == noted


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_ledger_is_named_and_never_taken_for_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    if damage == b"[]":
        return  # is an empty one
    path = tmp_path / "jobs.json"
    path.write_bytes(damage)
    ledger = Ledger(path)
    with pytest.raises(LedgerBroken, match=rf"{path} is broken(.|\n)*tidewatch deploy --from"):
        ledger.all()
    with pytest.raises(LedgerBroken):
        ledger.put(Submission(job_id="a", name="data", at=1))
    assert path.read_bytes() == damage


def test_the_api_finds_its_settings_again(settings: Settings) -> None:
    """Whatever became of the file since the supervisor started."""
    path = instance.write_settings(settings)
    whole = path.read_text()
    path.write_bytes(b"\0garbage")
    Api(settings).prepare()
    assert path.read_text() == whole


class TestIdentityOfTheLog:
    WHOLE = f"#\n#Sun\nnode.id=1\ndirectory.id=JBuMN0ZVGuW7-MxOeGjTIA\nversion=1\ncluster.id={CLUSTER_ID}\n"

    @pytest.fixture
    def meta(self, settings: Settings) -> Path:
        """The file in a folder that holds a log."""
        data = settings.state_path / "kafka" / "data"
        (data / "__cluster_metadata-0").mkdir(parents=True)
        (data / "meta.properties").write_text(self.WHOLE)
        Kafka(settings).prepare()
        return data / "meta.properties"

    @pytest.mark.parametrize("damage", ["", "garbage", WHOLE.replace("node.id=1\n", ""), WHOLE[:40], None])
    def test_it_is_put_back_from_its_copy(self, settings: Settings, meta: Path, damage: str | None) -> None:
        meta.unlink() if damage is None else meta.write_text(damage)
        Kafka(settings).prepare()
        assert meta.read_text() == self.WHOLE

    def test_without_a_copy_it_is_named(self, settings: Settings, meta: Path) -> None:
        meta.write_text("garbage")
        (settings.state_path / "kafka" / "meta.properties").unlink()
        with pytest.raises(PartError, match=rf"{meta} is broken.*put one back"):
            Kafka(settings).prepare()

    def test_a_folder_without_a_log_gets_none(self, settings: Settings) -> None:
        Kafka(settings).prepare()
        assert not (settings.state_path / "kafka" / "data").exists()


def test_a_log_that_takes_no_lines_stops_nobody(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        LineLogger(full).info("lost")
    with open(tmp_path / "log", "w") as taken:
        LineLogger(taken).info("a line")
    assert (tmp_path / "log").read_text() == "a line\n"
