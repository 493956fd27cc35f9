"""`python -m benchmarks`: runs each module of this folder that has a `run() -> list[Result]`, or that named by ONLY.

Exit status 1 when a benchmark found something wrong (BenchmarkFailed), after all have run.
"""

import importlib
import os
import sys
from pathlib import Path

import click

from benchmarks.failed import BenchmarkFailed
from benchmarks.results import record

FOLDER = Path(__file__).parent
NO_BENCHMARKS = {"__init__", "__main__", "results", "failed", "processes"}


def main() -> int:
    """The number of benchmarks that failed; 2 when there is none of the name."""
    known = sorted({file.stem for file in FOLDER.glob("*.py")} - NO_BENCHMARKS)
    only = os.environ.get("ONLY", "")
    if only and only not in known:
        click.echo(f"error: no benchmark {only!r}; there are {', '.join(known)}", err=True)
        return 2
    failed = 0
    for name in [only] if only else known:
        click.echo(f"== {name}")
        try:
            results = importlib.import_module(f"benchmarks.{name}").run()
        except BenchmarkFailed as error:
            click.echo(f"FAILED: {error}", err=True)
            failed += 1
            results = error.results
        record(results, FOLDER.parent)
        for result in results:
            rival = f" · {result.rival}: {result.rival_value:g}" if result.rival_value is not None else ""
            ratio = f" · ratio {result.ratio:.2f}" if result.ratio is not None else ""
            click.echo(f"{result.name}: {result.value:g} {result.unit}{rival}{ratio}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
