"""
The processes of this machine, as /proc tells: who is whose child, and who still lives.
"""

import os
import signal
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process."""

    pid: int
    parent: int
    command: str
    state: str

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that is gone already does not mind."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        found = _read(self.pid)
        return found is not None and found.state not in ("Z", "X")

    @property
    def rss(self) -> int:
        """Octets of memory that it holds now."""
        return _status(self.pid, "VmRSS:")


def descendants(pid: int) -> list[Process]:
    """Return the living children of a process, their children, and so on."""
    everybody = [
        process for entry in Path("/proc").iterdir() if entry.name.isdigit() and (process := _read(int(entry.name)))
    ]
    family = {pid}
    found: list[Process] = []
    grown = True
    while grown:
        grown = False
        for process in everybody:
            if process.parent in family and process.pid not in family:
                family.add(process.pid)
                found.append(process)
                grown = True
    return [process for process in found if process.state not in ("Z", "X")]


def _read(pid: int) -> Process | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return Process(pid, int(parent), command, state)


def _status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
