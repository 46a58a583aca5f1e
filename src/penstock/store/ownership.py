"""
The lock of a data folder: one process at a time owns it.
"""

import fcntl
import os
from pathlib import Path
from typing import IO


class DataInUse(Exception):
    """Another process owns the data folder."""


def try_lock(data: Path, owner: str) -> IO[str] | None:
    """Take the lock of a data folder and sign it; None when another process has it."""
    lock = (data / "serve.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(f"{owner} {os.getpid()}\n")
    lock.flush()
    return lock


def read_holder(data: Path) -> str:
    """Return how the last holder of the lock signed it."""
    try:
        return (data / "serve.lock").read_text().strip()
    except OSError:
        return ""


def is_locked(data: Path) -> bool:
    """Tell whether a process owns a data folder."""
    with (data / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
