"""
A server of our own protocol in this process, with little patience, before an application that counts.

Clients are bare sockets: what is tried here no client library would send.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn

from penstock.http.protocol import BoundedProtocol, Bounds

PATIENCE = 0.4
#: Longer than any patience here, shorter than that of whoever waits for the tests.
DEADLINE = 10.0


class Hasty(BoundedProtocol):
    """The protocol of the product with bounds that a test can wait for."""

    bounds = Bounds(
        head_seconds=PATIENCE,
        head_bytes=8_192,
        headers=20,
        body_seconds=PATIENCE,
        body_bytes=100,
        answer_seconds=PATIENCE,
        waiting=5,
        connections=40,
    )


class Application:
    """Answers with the size of the body; some paths differ."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()  #: what ``/wait`` waits for before it reads
        self.waiting = 0
        self.left = 0  #: requests whose client was gone before the body was whole

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        path = scope["path"]
        if path == "/wait":
            self.waiting += 1
            await self.go_on.wait()
        if path == "/unread":
            await _answer(send, 404, b"{}")
        elif path == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
                if (await _now(receive))["type"] == "http.disconnect":
                    self.left += 1
                    return
        else:
            await self._count(receive, send)

    async def _count(self, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size += len(message["body"])
            more = message["more_body"]
        await _answer(send, 200, json.dumps({"size": size}).encode())


async def _now(receive: Any) -> Any:
    """Receive what is there by now."""
    try:
        return await asyncio.wait_for(receive(), 0.001)
    except TimeoutError:
        return {"type": "nothing"}


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Server:
    """Where it listens, and what it serves."""

    def __init__(self, port: int, application: Application, connections: set[Any]) -> None:
        self.port = port
        self.application = application
        self.connections = connections  #: those that are open
        self._lines: list[Line] = []

    async def connect(self) -> "Line":
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._lines.append(Line(reader, writer))
        return self._lines[-1]

    async def hang_up(self) -> None:
        """Close what was opened."""
        for line in self._lines:
            await line.close()


class Line:
    """A bare connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        """Write, unless the server has hung up."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> tuple[int, Any]:
        """Read one answer with a body of JSON."""
        async with asyncio.timeout(DEADLINE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            return int(head.split()[1]), json.loads(await self._reader.readexactly(length))

    async def rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(DEADLINE):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    def take_nothing(self) -> None:
        """Read nothing from here on."""
        self._writer.transport.pause_reading()

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def hasty_server() -> AsyncIterator[Server]:
    """Serve for as long as the block lasts."""
    application = Application()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        http=Hasty,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=DEADLINE,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    lent = Server(listening.getsockname()[1], application, server.server_state.connections)
    try:
        yield lent
    finally:
        application.go_on.set()
        await lent.hang_up()
        server.should_exit = True
        await serving
