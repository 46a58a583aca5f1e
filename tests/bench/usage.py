"""
What the processes below a process have used, as Linux counts it.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """One process."""

    name: str
    peak_mb: float  #: VmHWM; for PostgreSQL it counts the shared buffers that were touched
    cpu: float  #: seconds, with the children that have ended


def usage_below(root: int) -> dict[int, Usage]:
    """Return what *root* and everything below it have used, by pid."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            seconds[int(entry.name)] = sum(map(int, fields[11:15])) / _TICK
    return {
        pid: Usage(name, peak, seconds[pid])
        for pid in parents
        if _is_below(pid, root, parents)
        for name, peak in _describe(pid)
    }


def _is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != root:
        pid = parents[pid]
    return pid == root


def _describe(pid: int) -> list[tuple[str, float]]:
    """Return the name and the peak of a process; nothing if it has just ended."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0) / 1024
    return [(_name(command), peak)]


def _name(command: str) -> str:
    """Return what a command line is called in the table: ``api`` for ``… -m penstock.child api-0``."""
    if "postgres" in command.split(" ", maxsplit=1)[0]:
        return "postgres"
    found = re.search(r"-m penstock\.(?:child|cli\.main) ([a-z]+)|-m penstock\.([a-z]+)", command)
    return (found[1] or found[2]) if found else command.split(" ", maxsplit=1)[0].rpartition("/")[2]
