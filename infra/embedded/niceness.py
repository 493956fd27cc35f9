"""Niceness that counts among all processes of the machine."""

import os
from pathlib import Path


def renice(leader: int, niceness: int) -> bool:
    """Of the session of processes that `leader` leads, to -20 (goes first) to 19; False when it is to be tried again.

    Linux, outside of containers, shares the processor among sessions first (autogroup, see sched(7)) and looks at the
    niceness of processes within a session only, so the session has a niceness as well.
    """
    try:
        os.setpriority(os.PRIO_PGRP, leader, niceness)
        Path(f"/proc/{leader}/autogroup").write_text(str(niceness))
    except BlockingIOError:  # who is not root may set one in a tenth of a second on the whole machine
        return False
    except OSError:  # it has ended, or only root may, or this kernel has no such file
        return True
    return True
