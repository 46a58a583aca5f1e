"""
A running PostgreSQL as its own `postmaster.pid` tells of it.
"""

import os
import signal
import urllib.parse
from pathlib import Path
from typing import NamedTuple

import asyncpg

USER = "penstock"
DATABASE = "postgres"


class Running(NamedTuple):
    """A server as its `postmaster.pid` tells of it."""

    pid: int
    socket_folder: Path
    is_ready: bool


def address(socket_folder: Path) -> str:
    """Write the address of the server that listens in a folder."""
    return f"postgresql://{USER}@/{DATABASE}?" + urllib.parse.urlencode({"host": str(socket_folder)})


def read_running(cluster: Path) -> Running | None:
    """Return what server is or was at work on a cluster; None if none is."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        running = Running(int(lines[0]), Path(lines[4]), lines[7].strip() == "ready")
    except (OSError, IndexError, ValueError):
        return None
    return running if is_postgres(running.pid) else None


async def answers(running: Running) -> bool:
    """Tell whether a server accepts connections."""
    try:
        connection = await asyncpg.connect(address(running.socket_folder), timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True


def is_postgres(pid: int) -> bool:
    """Tell whether a process lives and is a PostgreSQL; its number may have gone to another one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()  # where there is no /proc, the number has to do
    name, _, rest = status.partition("(")[2].rpartition(")")
    return name == "postgres" and not rest.strip().startswith("Z")


def forget_stale(cluster: Path) -> None:
    """Remove the mark of a server that is gone, which would keep a new one from starting if its number is reused."""
    if read_running(cluster) is None:
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def send_signal(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
