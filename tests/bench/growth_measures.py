"""
The measurements of growth: the same operations on an installation of any size.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from penstock.domain.uuids import message_uuid
from penstock.http.shapes import ProgressAnswer
from tests.bench.stand import Stand
from tests.bench.usage import usage_below
from tests.bench.wire import Connection, Pool, bodies, create

_FILLERS = 4  #: connections that fill at once
_LOOK = 0.01  #: seconds between looks at a dispatch
_LOOK_AT_MEMORY = 0.2  #: seconds between looks at the memory of the API
_IDLE = 20.0  #: seconds after which a connection is made anew
#: Messages of a request.
BATCH = 1000
#: Messages of a dispatch that are sent before it is halted: at full rate, then, whatever its size.
RUN_UP = 2000


class Export(NamedTuple):
    """How one dispatch was exported."""

    lines: int
    seconds: float
    grown_mb: float  #: by how much the memory of the API was larger at most than before


@dataclass
class Times:
    """How long each kind of request took, in seconds."""

    of: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextlib.contextmanager
    def taking(self, what: str) -> Iterator[None]:
        """Measure the block."""
        began = time.perf_counter()
        yield
        self.of[what].append(time.perf_counter() - began)


class Client:
    """Asks a server for what is measured."""

    def __init__(self, stand: Stand, connection: Connection) -> None:
        self.stand = stand
        self.times = Times()
        self._connection = connection
        self._used_at = time.monotonic()
        self._numbers = itertools.count(79_000_000_000, BATCH)
        # Not a secret: which messages are looked at.
        self._chance = random.Random(1)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, stand: Stand) -> AsyncIterator["Client"]:
        """Connect."""
        client = cls(stand, await Connection.open(stand.url, stand.key))
        try:
            yield client
        finally:
            client.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    async def _connected(self) -> Connection:
        """Return a connection that the server has not closed for its idleness."""
        if time.monotonic() - self._used_at > _IDLE:
            self._connection.close()
            self._connection = await Connection.open(self.stand.url, self.stand.key)
        self._used_at = time.monotonic()
        return self._connection

    async def ask(self, what: str, method: str, path: str) -> bytes:
        """Make a request and measure it as *what*."""
        connection = await self._connected()
        with self.times.taking(what):
            return await connection.ask(method, path)

    async def create(self, name: str, rate: Mapping[str, object] | None = None) -> int:
        """Create a dispatch."""
        connection = await self._connected()
        with self.times.taking("create"):
            return await create(connection, name, rate=rate)

    async def start(self, dispatch_id: int) -> None:
        """Start a dispatch."""
        await self.ask("start", "POST", f"/api/v1/dispatch/{dispatch_id}/start")

    async def stop(self, dispatch_id: int) -> None:
        """Stop a dispatch and read its receipt."""
        await self.ask("stop", "POST", f"/api/v1/dispatch/{dispatch_id}/stop")
        await self.ask("stop receipt", "GET", f"/api/penstock/v1/dispatch/{dispatch_id}/stop-receipt")

    async def pause(self, dispatch_id: int) -> None:
        """Pause a dispatch and return when nothing more of it leaves."""
        await self.ask("pause", "POST", f"/api/penstock/v1/dispatch/{dispatch_id}/pause")

    async def resume(self, dispatch_id: int) -> None:
        """Go on with a dispatch."""
        await self.ask("resume", "POST", f"/api/penstock/v1/dispatch/{dispatch_id}/resume")

    async def fill(self, dispatch_ids: Sequence[int], each: int) -> list[float]:
        """Put *each* messages into every dispatch and return the rates of ten equal portions."""
        requests = (
            (f"/api/v1/dispatch/{dispatch_id}/messages", bodies(next(self._numbers), min(BATCH, each - done))[0])
            for dispatch_id in dispatch_ids
            for done in range(0, each, BATCH)
        )
        total = len(dispatch_ids) * -(-each // BATCH)
        pool = await Pool.open(self.stand.url, self.stand.key, _FILLERS)
        rates = []
        try:
            for portion in range(10):
                count = total * (portion + 1) // 10 - total * portion // 10
                began = time.perf_counter()
                await pool.post_each(itertools.islice(requests, count))
                rates.append(count * min(BATCH, each) / max(time.perf_counter() - began, 1e-9))
        finally:
            pool.close()
        return rates

    async def look(self, dispatch_id: int) -> ProgressAnswer:
        """Look at a dispatch."""
        answer = await (await self._connected()).ask("GET", f"/api/penstock/v1/dispatch/{dispatch_id}")
        return msgspec.json.decode(answer, type=ProgressAnswer)

    async def until_left(self, dispatch_id: int, most: int) -> int:
        """Wait until at most *most* messages of a dispatch are still to be sent; returns how many are."""
        while True:
            left = (await self.look(dispatch_id)).messages.sending
            if left <= most:
                return left
            await asyncio.sleep(_LOOK)

    async def ask_around(self, dispatch_id: int, size: int, count: int) -> None:
        """Ask *count* times for each kind of list, for a dispatch and for one of its messages."""
        for _ in range(count):
            await self.ask("list, first page", "GET", "/api/v1/dispatch?per_page=10")
            await self.ask("list, by id", "GET", f"/api/v1/dispatch?dispatch_id={dispatch_id}")
            await self.ask("list, by status", "GET", "/api/v1/dispatch?status=sending&per_page=10")
            await self.ask("list, by name", "GET", "/api/v1/dispatch?dispatch_name=ROBE&per_page=10")
            await self.ask("one dispatch", "GET", f"/api/penstock/v1/dispatch/{dispatch_id}")
            uuid = message_uuid(dispatch_id, self._chance.randint(1, size))
            await self.ask("one message", "GET", f"/api/v1/message/{uuid}")

    async def probe(self, size: int) -> int:
        """Take a dispatch of its own through all that can be done with one; returns its id."""
        dispatch_id = await self.create("probe")
        await self.fill([dispatch_id], size)
        await self.start(dispatch_id)
        await self.until_left(dispatch_id, size - RUN_UP)
        await self.halt_for_a_moment(dispatch_id)
        await self.stop(dispatch_id)
        return dispatch_id

    async def halt_for_a_moment(self, dispatch_id: int) -> None:
        """Pause a dispatch, go on with it and wait until it is sent at full rate again."""
        await self.pause(dispatch_id)
        left = (await self.look(dispatch_id)).messages.sending
        await self.resume(dispatch_id)
        await self.until_left(dispatch_id, left - RUN_UP)

    async def export(self, dispatch_id: int) -> Export:
        """Export a dispatch as CSV, and look at the API's memory meanwhile."""
        parts = urlsplit(self.stand.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 22)
        writer.write(
            f"GET /api/penstock/v1/dispatch/{dispatch_id}/messages?format=csv HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Basic {self.stand.key}\r\n\r\n".encode()
        )
        before = peak = resident(self.stand.server)["api"]
        began = looked = time.perf_counter()
        await reader.readuntil(b"\r\n\r\n")
        lines = -1  # the header
        while size := int(await reader.readline(), 16):
            lines += (await reader.readexactly(size + 2)).count(b"\n", 0, -2)
            if time.perf_counter() - looked > _LOOK_AT_MEMORY:
                looked = time.perf_counter()
                peak = max(peak, resident(self.stand.server)["api"])
        took = time.perf_counter() - began
        writer.close()
        return Export(lines, took, peak - before)


def resident(root: int) -> dict[str, float]:
    """Return the present memory of the processes below *root* in MB, the largest of each name; PostgreSQL's apart."""
    largest: dict[str, float] = {}
    for pid, usage in usage_below(root).items():
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            size = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0) / 1024
            largest[usage.name] = max(largest.get(usage.name, 0.0), size)
    return largest
