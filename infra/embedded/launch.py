"""Starts a command so that it dies with its parent: `python -I launch.py PARENT_PID NICENESS COMMAND…`.

Run as a program of its own, because nothing may run between fork and exec in a process with threads. Linux sends the
signal (SIGKILL) when the thread that forked ends: call `tied` commands from a thread that outlives them.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
AUTOGROUP = "/proc/self/autogroup"
AUTOGROUP_TRIES = 20  # who is not root may set one in a tenth of a second on the whole machine


def tied(command: list[str], niceness: int = 0) -> list[str]:
    """The command, made to die with the calling process; `niceness` is added to the caller's. It counts among processes
    of all sessions when the command is started in a session of its own (`start_new_session`)."""
    return [sys.executable, "-I", __file__, str(os.getpid()), str(niceness), *command]


def give_way(niceness: int) -> None:
    """Together with its session, if that is its own: where Linux shares the processor among sessions first (autogroup),
    as it does by default outside of containers, a process's niceness counts within its session only (sched(7))."""
    nice = os.nice(niceness)
    if os.getsid(0) != os.getpid() or not os.path.exists(AUTOGROUP):
        return
    for _ in range(AUTOGROUP_TRIES):
        try:
            with open(AUTOGROUP, "w") as file:
                file.write(str(nice))
            return
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:  # a system that does not let us: it is slower then, and nothing worse
            return


def main() -> None:
    """Replaces itself by the command; exits at once when the parent has died meanwhile."""
    parent, niceness, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    if niceness:
        give_way(niceness)
    os.execvp(command[0], command)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
