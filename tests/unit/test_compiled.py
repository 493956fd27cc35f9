"""Machine code is found again by the content of the sources, also where these lie in a zip at another place."""

import os
import subprocess
import sys
from pathlib import Path

from infra import package

PROGRAM = """
from analysis import detection
from analysis.twintail import tail
assert ".zip" in detection.__file__
assert "twintail" in detection.names()
tail.reach.py_func  # is compiled, not plain
from analysis.twintail.deviation import middle
import numpy as np
middle(np.zeros(3))
print(sum(middle.stats.cache_hits.values()), sum(middle.stats.cache_misses.values()))
"""


def run(zipped: Path, kept: Path) -> str:
    done = subprocess.run(  # noqa: S603  # our interpreter
        [sys.executable, "-c", PROGRAM],
        cwd=zipped.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(zipped), "NUMBA_CACHE_DIR": str(kept)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_what_one_start_compiled_the_next_one_finds(tmp_path: Path) -> None:
    first, second = (package.store(tmp_path / name) for name in ("a", "b"))
    assert run(first, tmp_path / "kept") == "0 1"
    assert run(second, tmp_path / "kept") == "1 0"
