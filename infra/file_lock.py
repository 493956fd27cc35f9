"""Locks on files: the operating system's, so each ends with its holder, however that ends."""

import fcntl


def try_lock(descriptor: int) -> bool:
    """Locks the open file for this process until it is closed; False when another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
