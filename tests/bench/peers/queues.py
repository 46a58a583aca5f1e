"""
Task queues: what a team would write instead of a gateway, on Redis, with two worker processes.
"""

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.peers.brokers import redis
from tests.bench.peers.environments import binary
from tests.bench.peers.peer import Line, Offered, Way
from tests.bench.peers.programs import DidNotStart, Program

_WORKERS = "2"
_GIVEN = 200  #: tasks put into the queue between looks at the clock
_HERE = Path(__file__).parents[3]

_COMMANDS = {
    "with_celery": [
        "celery", "-A", "tests.bench.peers.tasks.with_celery", "worker", "--concurrency", _WORKERS,
        "--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ],
    "with_dramatiq": ["dramatiq", "tests.bench.peers.tasks.with_dramatiq", "--processes", _WORKERS],
}  # fmt: skip
_READY = {"with_celery": "worker is ready.", "with_dramatiq": "Worker process is ready for action."}


class _Queue:
    """Redis, a worker with its two processes, and what fills the queue."""

    def __init__(self, module: str, folder: Path, environment: dict[str, str]) -> None:
        self.roots: list[int] = []
        self._module = module
        self._folder = folder
        self._environment = environment
        self._worker: Program | None = None
        self._giver: asyncio.subprocess.Process | None = None
        self._starts = 0

    async def start(self) -> None:
        """Start the worker and what fills the queue."""
        await self._start_worker()
        with (self._folder / "offer.log").open("ab") as said:
            self._giver = await asyncio.create_subprocess_exec(
                binary("tasks", "python"), "-m", "tests.bench.peers.tasks.offer", self._module,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=said,
                cwd=_HERE, env={**os.environ, **self._environment},
            )  # fmt: skip
        self.roots.append(self._giver.pid)
        await self._hear("ready")

    async def end(self) -> None:
        """End both."""
        if self._giver is not None and self._giver.returncode is None:
            self._giver.kill()
            await self._giver.wait()
        if self._worker is not None:
            await self._worker.end()

    async def offer(self, numbers: range, until: float) -> Offered:
        """Have tasks put into the queue."""
        assert self._giver is not None
        assert self._giver.stdin is not None
        began, given = time.monotonic(), 0
        while given < len(numbers) and time.monotonic() < until:
            count = min(_GIVEN, len(numbers) - given)
            self._giver.stdin.write(f"{numbers[given]} {count}\n".encode())
            await self._hear("done")
            given += count
        return Offered(numbers[:given], 0, time.monotonic() - began)

    async def kill(self) -> None:
        """Kill -9 the worker with its processes."""
        assert self._worker is not None
        await self._worker.kill()

    async def restart(self) -> None:
        """Start a worker again."""
        assert self._worker is not None
        self.roots.remove(self._worker.pid)
        await self._start_worker()

    async def named(self, missing: Sequence[int]) -> set[int]:
        """Name nothing: nobody knows what a worker was about."""
        del missing
        return set()

    async def _start_worker(self) -> None:
        self._starts += 1
        name, *arguments = _COMMANDS[self._module]
        self._worker = await Program.launch(
            [binary("tasks", name), *arguments], self._folder / f"{self._module}.log", folder=_HERE,
            environment=self._environment,
        )  # fmt: skip
        self.roots.append(self._worker.pid)
        times = self._starts * (int(_WORKERS) if self._module == "with_dramatiq" else 1)
        await self._worker.until_said(_READY[self._module], times=times)

    async def _hear(self, word: str) -> None:
        assert self._giver is not None
        assert self._giver.stdout is not None
        line = (await self._giver.stdout.readline()).decode().strip()
        if line != word:
            raise DidNotStart(f"expected {word!r}, heard {line!r}: {(self._folder / 'offer.log').read_text()[-2000:]}")


@contextlib.asynccontextmanager
async def _open(module: str, folder: Path, line: Line) -> AsyncIterator[_Queue]:
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(redis(folder))
        environment = {
            "PYTHONPATH": str(_HERE),
            "PYTHONUNBUFFERED": "1",
            "PEERS_REDIS": f"redis://127.0.0.1:{broker.port}/0",
            "PEERS_HOST": line.host,
            "PEERS_PORT": str(line.port),
        }
        queue = _Queue(module, folder, environment)
        queue.roots.append(broker.program.pid)
        stack.push_async_callback(queue.end)
        await queue.start()
        yield queue


_DURABILITY = "kill: in Redis; a power cut within a second (appendfsync everysec)"
_RECEIPTS = "stored in Redis"

WAYS = [
    Way(
        name, title, "one task a message", _DURABILITY, _RECEIPTS, count, 4_000,
        functools.partial(_open, f"with_{name}"),
    )
    for name, title, count in (("celery", "Celery tasks", 6_000), ("dramatiq", "dramatiq tasks", 10_000))
]  # fmt: skip
