"""
Programs that are not ours: started each in a session of its own, waited for, and ended whatever happens.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from penstock.prove.processes import descendants
from tests.harness.waiting import until

_ENDS = 15.0  #: seconds to end by itself
_TAIL = 2000  #: characters of a log that may explain


class DidNotStart(Exception):
    """A program ended, or was not ready in time."""


class Program:
    """A running program and everything below it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid

    @classmethod
    async def launch(
        cls, command: Sequence[str], log: Path, *, folder: Path, environment: Mapping[str, str] | None = None
    ) -> "Program":
        """Start a command in *folder*; all it says goes to *log*."""
        with log.open("ab") as said:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder,
                start_new_session=True, env={**_plain_environment(), **(environment or {})},
            )  # fmt: skip
        return cls(process, log)

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Raise if it has ended."""
        if self._process.returncode is not None:
            raise DidNotStart(f"{self._log.stem} ended with {self._process.returncode}: {self.said[-_TAIL:]}")

    async def until_listening(self, port: int, *, seconds: float = 60.0) -> None:
        """Wait until somebody listens on a port."""

        async def listens() -> bool:
            self.check()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await until(listens, what=f"{self._log.stem} on port {port}", seconds=seconds)

    async def until_said(self, words: str, *, times: int = 1, seconds: float = 60.0) -> None:
        """Wait until it has said something."""

        async def has_said() -> bool:
            self.check()
            return self.said.count(words) >= times

        await until(has_said, what=f"{self._log.stem} to say {words!r}", seconds=seconds)

    async def kill(self) -> None:
        """Kill -9 it and everything below it."""
        for process in descendants(self.pid):
            process.send(signal.SIGKILL)
        await self._kill_session()

    async def end(self) -> None:
        """Ask it to end, and see to it that nothing below it is left."""
        below = descendants(self.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _ENDS)
        for process in below:
            if process.is_alive:
                process.send(signal.SIGKILL)
        await self._kill_session()

    async def _kill_session(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str], log: Path, *, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run a program until the context is left."""
    program = await Program.launch(command, log, folder=folder, environment=environment)
    try:
        yield program
    finally:
        await program.end()


def _plain_environment() -> dict[str, str]:
    """Return our environment without what would change how Python programs run."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "PYTHON", "VIRTUAL_"))
    }
