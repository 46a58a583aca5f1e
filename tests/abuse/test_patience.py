"""
The installed program under slow and silent clients: the others notice nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.harness.client import Client
from tests.harness.programs import Serve, running_serve, running_smsc

IDLE, DRIPPING, ENDLESS = 1_500, 100, 10
#: Seconds from the first byte of a head to the end of patience with it, as `http.protocol.Bounds` has it.
HEAD_SECONDS = 10.0


class Attack:
    """Connections that ask for nothing, slowly, and for more than there is."""

    def __init__(self, serve: Serve, dispatch_id: int) -> None:
        self._port = int(serve.program.ready.rpartition(":")[2])
        self._key = serve.client._session.headers["Authorization"]
        self._dispatch_id = dispatch_id
        self._writers: list[asyncio.StreamWriter] = []
        self.given_up: list[float] = []  #: seconds after which each dripping head was answered 408
        self.cut_off = 0  #: endless bodies that were refused

    async def idle(self) -> None:
        """Connect and say nothing."""
        await self._connect()

    async def drip(self) -> None:
        """Send headers without end, slowly."""
        reader, writer = await self._connect()
        began_at = time.monotonic()
        writer.write(b"GET /ping HTTP/1.1\r\nHost: a\r\n")
        while not reader.at_eof():
            with contextlib.suppress(ConnectionError):
                writer.write(b"X-A: b\r\n")
                await writer.drain()
            with contextlib.suppress(TimeoutError):
                answer = await asyncio.wait_for(reader.read(100), 0.5)
                if answer.startswith(b"HTTP/1.1 408 "):
                    self.given_up.append(time.monotonic() - began_at)
                    return

    async def endless(self) -> None:
        """Send a JSON body without end, as fast as it is taken."""
        reader, writer = await self._connect()
        writer.write(
            f"POST /api/v1/dispatch/{self._dispatch_id}/messages HTTP/1.1\r\nHost: a\r\nAuthorization: {self._key}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(piece)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        self.cut_off += 1

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        return reader, writer

    async def end(self) -> None:
        """Hang up."""
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def attacked(serve: Serve, dispatch_id: int) -> AsyncIterator[tuple[Attack, list[asyncio.Task[None]]]]:
    """Attack for as long as the block lasts."""
    attack = Attack(serve, dispatch_id)
    for _ in range(IDLE):
        await attack.idle()
    busy = [asyncio.create_task(attack.drip()) for _ in range(DRIPPING)]
    busy += [asyncio.create_task(attack.endless()) for _ in range(ENDLESS)]
    try:
        yield attack, busy
    finally:
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        await attack.end()


async def slowest(client: Client, path: str, times: int) -> float:
    """Ask again and again and return how long the slowest answer took."""
    longest = 0.0
    for _ in range(times):
        asked_at = time.monotonic()
        assert (await client.ask("GET", path)).status == 200
        longest = max(longest, time.monotonic() - asked_at)
        await asyncio.sleep(0.02)
    return longest


async def test_slow_and_silent_clients_hold_up_nobody(tmp_path: Path) -> None:
    """Beside thousands of silent, dripping and endless connections requests and a stop are answered."""
    async with (
        running_smsc(tmp_path, "--latency", "10") as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        client = serve.client
        dispatch = await client.begin(20_000)
        filling = await client.create()
        await smsc.log.wait_for(dispatch.numbers, 100)
        async with attacked(serve, filling) as (attack, busy):
            asked_at = time.monotonic()
            stopped = await client.stop(dispatch.id)
            stop_took = stopped.read_at - asked_at
            longest = await slowest(client, "/api/v1/dispatch?per_page=1", 50)
            await asyncio.wait(busy, timeout=4 * HEAD_SECONDS)
            given_up, cut_off = attack.given_up, attack.cut_off
        memory = serve.apis()[0].rss

    assert stopped.status == 200
    # They are answered in milliseconds; the bounds are for a busy machine.
    assert stop_took < 5
    assert longest < 5
    assert (len(given_up), cut_off) == (DRIPPING, ENDLESS)
    assert min(given_up) >= HEAD_SECONDS - 0.5
    assert memory < 500 * 1024 * 1024
