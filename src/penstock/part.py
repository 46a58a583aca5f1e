"""
A part of the server: a child process that is started again whenever it ends, until it has to stop.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from penstock.child import Order

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
#: A child that lived this long, in seconds, was not stillborn: the pauses begin anew.
LIVED = 10.0
#: A part that has never been ready may fail this often before the whole is given up.
ATTEMPTS = 3


class PartFailed(Exception):
    """A part has never become ready."""


class Part:
    """One child and those that follow it."""

    def __init__(
        self,
        name: str,
        order: Callable[[int], Order],
        *,
        inherited: Sequence[int] = (),
        died: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """
        Prepare the part *name*.

        *order* gives what the n-th child has to do; *died* is awaited with n when it did not end well.
        """
        self.name = name
        self.ready = asyncio.Event()
        self.said = ""  #: what the last child said when it became ready
        self._order = order
        self._inherited = inherited
        self._died = died
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Run until `stop`; the task raises PartFailed when the part never becomes ready."""
        self._running = asyncio.create_task(self._run(), name=self.name)
        return self._running

    async def stop(self, seconds: float) -> None:
        """Let the child finish what it has begun; it is killed after *seconds*."""
        self._stopping.set()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
        if self._running is None:
            return
        done, _ = await asyncio.wait({self._running}, timeout=seconds)
        if not done and (process := self._process) is not None and process.returncode is None:
            log.error("part_killed", part=self.name, seconds=seconds)
            process.kill()
        await asyncio.wait({self._running})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        pause, failures, number = FIRST_PAUSE, 0, 0
        while not self._stopping.is_set():
            number += 1
            began = loop.time()
            code = await self._live(number)
            if code != 0 and self._died is not None:
                await self._died(number)
            if self._stopping.is_set():
                return
            log.warning("part_ended", part=self.name, code=code, lived=round(loop.time() - began, 3))
            if not self.ready.is_set():
                failures += 1
                if failures == ATTEMPTS:
                    raise PartFailed(f"{self.name} does not start; the log above says why")
            if loop.time() - began > LIVED:
                pause = FIRST_PAUSE
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _live(self, number: int) -> int:
        """Run one child from birth to death and return its exit code."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "penstock.child",
            self.name,  # for whoever looks at a list of processes
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self._inherited,
            start_new_session=True,
        )
        log.info("part_started", part=self.name, pid=process.pid)
        if self._stopping.is_set():
            process.terminate()
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - they are pipes
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(msgspec.json.encode(self._order(number)) + b"\n")
            await stdin.drain()
        async for line in stdout:
            self.said = line.decode().removeprefix("ready").strip()
            self.ready.set()
        code = await process.wait()
        stdin.close()
        return code
