"""
The program `penstock` as processes: started, waited for, and ended again whatever happens.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from penstock.prove.processes import descendants

T = TypeVar("T")

READY_SECONDS = 60.0  #: the first start of a database takes about two
END_SECONDS = 40.0
_TAIL = 4000  #: characters of a log that may explain


class DidNotStart(Exception):
    """A process ended, or said nothing, before it was ready."""


class DidNotEnd(Exception):
    """A process that was asked to end did not, and was killed with all its children."""


class Program:
    """A running `penstock` with what it says."""

    def __init__(self, process: asyncio.subprocess.Process, ready: str, said: Path) -> None:
        self._process = process
        self.pid = process.pid
        self.ready = ready  #: the last word of its ready line
        self._said = said

    @classmethod
    async def launch(
        cls, *arguments: str, said: Path, environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
    ) -> "Program":
        """
        Start a command and wait for the line that says that it is ready; its stderr goes to the file *said*.

        Of our own environment no setting reaches it, so that only *arguments* and *environment* decide.
        It has a session of its own, so that Ctrl-C reaches it only through us, in order.  *within* is
        put before it: a command that runs others elsewhere, as `ip netns exec`.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        with said.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *within, sys.executable, "-m", "penstock.cli.main", *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr,
                env=inherited | dict(environment or {}), start_new_session=True,
            )  # fmt: skip
        program = cls(process, "", said)
        try:
            program.ready = await program._await_ready()
        except BaseException:
            program._kill()
            await program._wait()
            raise
        return program

    @property
    def said(self) -> str:
        """What it has said on stderr so far."""
        return self.said_since(0)

    def said_since(self, octets: int) -> str:
        """Return what it has said on stderr after the first so many octets."""
        with self._said.open("rb") as said:
            said.seek(octets)
            return said.read().decode(errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.is_running:
            self._process.send_signal(number)

    async def read_line(self, seconds: float) -> str:
        """Return the next line of its stdout; nothing when none comes in time."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return (await self._process.stdout.readline()).decode()
        return ""

    async def write_line(self, line: bytes) -> None:
        """Write a line to its stdin."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()

    async def wait(self) -> int:
        """Wait until it has ended and return its exit code."""
        async with asyncio.timeout(END_SECONDS):
            return await self._wait()

    async def end(self) -> int:
        """Ask it to end and return its exit code; raises DidNotEnd."""
        self.send(signal.SIGTERM)
        try:
            return await self.wait()
        except TimeoutError:
            self._kill()
            await self._wait()
            raise DidNotEnd(f"{self._said.stem}: killed after {END_SECONDS:.0f} s; {self.said[-_TAIL:]}") from None

    async def _await_ready(self) -> str:
        line = await self.read_line(READY_SECONDS)
        if " ready " not in line:
            raise DidNotStart(f"{self._said.stem}: it said {line!r} and {self.said[-_TAIL:]}")
        return line.split()[-1]

    def _kill(self) -> None:
        """Kill it and all its children."""
        for process in descendants(self.pid):
            process.send(signal.SIGKILL)
        self.send(signal.SIGKILL)

    async def _wait(self) -> int:
        code = await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - nobody else closes the pipes
        return code


@contextlib.asynccontextmanager
async def running(*arguments: str, said: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Program]:
    """Run a command until the block is left."""
    program = await Program.launch(*arguments, said=said, environment=environment)
    try:
        yield program
    finally:
        if program.is_running:
            await program.end()


async def until_terminated(work: Coroutine[Any, Any, T]) -> T:
    """Do *work* so that SIGTERM and Ctrl-C both take everything down in order, undisturbed by a second one."""
    task = asyncio.ensure_future(work)

    def interrupt() -> None:
        if not task.cancelling():
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    return await task
