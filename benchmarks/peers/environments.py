"""An environment for each peer, since what they need does not go together: below var/peers, hashes checked."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path("var/peers").absolute()
REQUIREMENTS: Final = Path(__file__).parent


class NotInstalled(Exception):
    """The peer's packages could not be installed; the message is pip's."""


def python(peer: str) -> Path:
    """The interpreter that has what `<peer>.txt` lists, made when it is not there; NotInstalled says why it is not.

    A peer without such a file uses our own.
    """
    requirements = REQUIREMENTS / f"{peer}.txt"
    if not requirements.exists():
        return Path(sys.executable)
    home = FOLDER / peer
    stamp, digest = home / "stamp", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        _run([sys.executable, "-m", "venv", "--clear", str(home)])
        _run([str(home / "bin/python"), "-m", "pip", "install", *_strictly(requirements)])
        stamp.write_text(digest)
    return home / "bin/python"


def _strictly(requirements: Path) -> list[str]:
    """The list is complete: nothing is resolved, nothing else can come in."""
    options = ["--disable-pip-version-check", "--no-input", "--quiet", "--no-deps", "--require-hashes"]
    return [*options, "-r", str(requirements)]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # pip and venv
    if done.returncode:
        raise NotInstalled(done.stderr.strip() or done.stdout.strip())
