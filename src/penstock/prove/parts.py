"""
The parts of a running `penstock serve`, found by what its supervisor told of them.
"""

import re
from pathlib import Path

from penstock.prove.processes import Process, descendants
from penstock.prove.programs import Program

_STARTED = re.compile(r"part_started.*?part=(\S+).*?pid=(\d+)")


class Parts:
    """The processes of one server whose embedded PostgreSQL, if it has one, is in *data*."""

    def __init__(self, program: Program, data: Path) -> None:
        self._program = program
        self._data = data
        self._read = 0  #: octets of what the supervisor said that have been looked at
        self._told: list[tuple[str, int]] = []

    def senders(self) -> list[Process]:
        """Return the living senders, the oldest first."""
        return self.of("sender")

    def apis(self) -> list[Process]:
        """Return the living API processes, the oldest first."""
        return self.of("api")

    def postmaster(self) -> Process | None:
        """Return PostgreSQL's first process; None while there is none."""
        try:
            pid = int((self._data / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return next((one for one in descendants(self._program.pid) if one.pid == pid), None)

    def of(self, kind: str) -> list[Process]:
        """Return the living children whose part has a name that begins with *kind*."""
        whole, newline, _ = self._program.said_since(self._read).rpartition("\n")
        self._read += len((whole + newline).encode())
        self._told += [(name, int(pid)) for name, pid in _STARTED.findall(whole)]
        alive = {one.pid: one for one in descendants(self._program.pid)}
        return [alive[pid] for name, pid in self._told if name.startswith(kind) and pid in alive]
