"""Small files that say where things stand: written as a whole, so that neither a reader nor a power cut finds half."""

import os
import threading
from pathlib import Path


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Puts a file with this text in place of `path`, once it is on the disk; OSError leaves the former one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{threading.get_native_id()}.new")  # no two threads of a machine share one
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
