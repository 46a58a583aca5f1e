"""
The processes of one machine: started, waited for, and stopped again whatever happens.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

_READY = 60.0  #: seconds; the first start of a database takes about two
_ENDS = 40.0  #: seconds to end by itself
_TAIL = 2000  #: characters of a log that may explain


class DidNotStart(Exception):
    """A process ended, or said nothing, before it was ready."""


class Running(NamedTuple):
    """A process that is ready."""

    address: str  #: the last word of its ready line
    pid: int


@contextlib.asynccontextmanager
async def running(command: Sequence[str], log: Path) -> AsyncIterator[Running]:
    """
    Run `penstock` with *command* until the context is left; stderr goes to *log*.

    The process has a session of its own, so that Ctrl-C reaches it only through us, in order.
    """
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "penstock.cli.main", *command,
            stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True, env=_environment(),
        )  # fmt: skip
    try:
        line = await _ready(process)
        if " ready " not in line:
            raise DidNotStart(f"penstock {command[0]}: {_tail(log)}")
        yield Running(line.split()[-1], process.pid)
    finally:
        await _end(process)


def _environment() -> dict[str, str]:
    """Return our environment without settings, so that only *command* decides."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}


def _tail(log: Path) -> str:
    return log.read_text()[-_TAIL:]


async def _ready(process: asyncio.subprocess.Process) -> str:
    """Return the first line, or nothing when none comes in time."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(_READY):
            return (await process.stdout.readline()).decode()
    except TimeoutError:
        return ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and end it when it does not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_ENDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
