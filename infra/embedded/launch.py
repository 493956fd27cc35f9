"""Starts a command so that it dies with its parent: `python -I launch.py PARENT_PID NICENESS COMMAND…`.

Run as a program of its own, because nothing may run between fork and exec in a process with threads. Linux sends the
signal when the thread that forked ends: the supervisor starts its children from its main thread.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replaces itself by the command; exits at once when the parent has died meanwhile."""
    parent, niceness, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    os.nice(niceness)
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
