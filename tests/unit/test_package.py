"""The zip of our code: the same bytes from the same sources, and all that the jobs import."""

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from infra import package
from infra.flink.client import Job, check
from infra.flink.rest import FlinkError


def make_tree(root: Path, statement: str = "SELECT 1") -> Path:
    for folder in package.FOLDERS:
        (root / folder).mkdir(parents=True)
        (root / folder / "__init__.py").write_text("")
    (root / "sql" / "queries").mkdir()
    (root / "sql" / "queries" / "one.sql").write_text(statement)
    (root / "jobs" / "__pycache__").mkdir()
    (root / "jobs" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"never the same")
    return root


def test_equal_sources_make_equal_bytes(tmp_path: Path) -> None:
    first = package.build(make_tree(tmp_path / "a"))
    assert package.build(make_tree(tmp_path / "b")) == first
    assert package.build(make_tree(tmp_path / "c", "SELECT 2")) != first


def test_only_sources_and_statements_go_in() -> None:
    names = zipfile.ZipFile(BytesIO(package.build())).namelist()
    assert names == sorted(names)
    assert {name.split("/")[0] for name in names} == set(package.FOLDERS)
    assert all(name.endswith((".py", ".sql", ".lua")) for name in names)
    assert "jobs/data.py" in names
    assert "sql/migrations/0001_user_tags.sql" in names
    assert "stores/profiles_append.lua" in names


def test_statements_are_read_from_within_the_zip(tmp_path: Path) -> None:
    path = package.store(tmp_path)
    program = (
        "import sql; print(sql.__file__); print(sql.names('migrations')[0], len(sql.read('migrations/0001_user_tags')))"
    )
    done = subprocess.run(  # noqa: S603  # our interpreter
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    place, listed = done.stdout.splitlines()
    assert place.startswith(str(path))
    assert listed.startswith("migrations/0001_user_tags ")


def test_a_stored_zip_is_named_by_its_content(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    path = package.store(tmp_path / "code", tree)
    assert package.store(tmp_path / "code", tree) == path
    (tree / "sql" / "queries" / "one.sql").write_text("SELECT 3")
    assert package.store(tmp_path / "code", tree) != path
    assert len(list((tmp_path / "code").iterdir())) == 2


def test_code_that_cannot_be_imported_is_found_before_anything_is_stopped(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "jobs" / "fine.py").write_text("import contracts")
    (tree / "jobs" / "broken.py").write_text("import nowhere_to_be_found")
    code = package.store(tmp_path / "code", tree)
    check(Job("jobs.fine", [], code))
    with pytest.raises(
        FlinkError, match=r"jobs\.broken .* cannot be imported(.|\n)*No module named 'nowhere_to_be_found'"
    ):
        check(Job("jobs.broken", [], code))
