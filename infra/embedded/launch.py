"""Starts a command so that it dies with its parent: `python -I launch.py PARENT_PID COMMAND…`.

Run as a program of its own, because nothing may run between fork and exec in a process with threads. Linux sends the
signal (SIGKILL) when the thread that forked ends: call `tied` commands from a thread that outlives them.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tied(command: list[str]) -> list[str]:
    """The command, made to die with the calling process."""
    return [sys.executable, "-I", __file__, str(os.getpid()), *command]


def main() -> None:
    """Replaces itself by the command; exits at once when the parent has died meanwhile."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
