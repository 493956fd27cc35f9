"""Ends what a killed supervisor leaves behind: `python -m infra.embedded.guard STATE_FOLDER`, its stdin held by the
supervisor.

Each part dies with the supervisor (see launch.py), but not what the part itself started: Flink's Python workers, the
API's worker processes. The end of the pipe, which the operating system closes with the supervisor, is the sign.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.settings import Settings
from infra.embedded.instance import end_leftovers


@contextmanager
def guarded(settings: Settings) -> Iterator[None]:
    """Has a guard watch this process while the block runs."""
    command = [sys.executable, "-m", "infra.embedded.guard", str(settings.state_path)]
    with subprocess.Popen(  # noqa: S603  # this module
        command, stdin=subprocess.PIPE, cwd=settings.home.absolute(), start_new_session=True
    ) as guard:
        yield
        guard.kill()


def main() -> None:
    """Waits for the end of stdin, then kills the process groups that are noted in the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.read()
    end_leftovers(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
