"""The zip of our code that is shipped to Flink: what jobs import, and the SQL statements."""

import hashlib
import threading
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = ("contracts", "analysis", "sql", "stores", "jobs")
SUFFIXES: Final = (".py", ".sql", ".lua")
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold; equal sources make equal bytes


def build(root: Path = ROOT) -> bytes:
    """The zip's bytes: a function of the files' names and contents alone."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sources(root):
            entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def sources(root: Path = ROOT) -> list[Path]:
    """The files that go into the zip, sorted by path."""
    files = (file for folder in FOLDERS for file in (root / folder).rglob("*"))
    return sorted(file for file in files if file.suffix in SUFFIXES and file.is_file())


def store(folder: Path, root: Path = ROOT) -> Path:
    """Builds the zip, keeps it in the folder and returns its path."""
    return keep(folder, build(root))


def keep(folder: Path, content: bytes) -> Path:
    """Writes a zip as `<folder>/<first 12 of its SHA-256>.zip`, unless it is there already, and returns its path."""
    path = folder / f"{hashlib.sha256(content).hexdigest()[:12]}.zip"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{threading.get_native_id()}.new")  # two may keep the same at a time
        beside.write_bytes(content)
        beside.replace(path)
    return path
