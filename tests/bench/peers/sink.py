"""
Where peers tell of receipts: it takes every request and counts it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

#: What Jasmin wants to hear; Kannel is content with any 2xx.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nACK/Jasmin"


class Sink:
    """What was told so far."""

    def __init__(self) -> None:
        self.told = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Where to tell it."""
        return f"http://127.0.0.1:{self.port}/receipt"


class _Connection(asyncio.Protocol):
    """One client; its requests may come in pieces, and come one after another."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            self._sink.told += 1
            if self._transport is not None:
                self._transport.write(_ANSWER)


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    """Take what is told until the context is left."""
    found = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(found), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
