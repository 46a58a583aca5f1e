"""
Calls of the HTTP API whose answers carry the instant at which they came.

That instant divides what may be on the wire from what may not, so it is the kernel's stamp of the
answer (`penstock.channels.smpp.arrival`) and not the moment at which a busy client got round to
it.  Each call has a connection of its own, so calls spread over the API processes, and one that is
killed breaks only those that it was answering.
"""

import asyncio
import contextlib
import socket
import time
import urllib.parse
from typing import NamedTuple

import httptools

from penstock.channels.smpp.arrival import receive, stamp

#: Seconds that a client waits; the server gives up a stop after 65.
PATIENCE = 75.0


class Broken(Exception):
    """The connection was not made, or ended before the answer was whole: nobody knows what was done."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    read_at: float  #: CLOCK_MONOTONIC when the last of it had arrived


class _Parser:
    """Takes in an answer; httptools calls its methods."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self.is_whole = False

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.is_whole = True

    def answer(self, read_at: float) -> Answer:
        return Answer(self._parser.get_status_code(), b"".join(self._body), read_at)


class Server:
    """A server to be called, with a key for it."""

    def __init__(self, url: str, key: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Basic {key}\r\nConnection: close\r\n"

    async def ask(self, method: str, path: str, body: bytes = b"", once: str = "") -> Answer:
        """Make one request, *once* being its Idempotency-Key; raises Broken."""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n"
        if body:
            head += "Content-Type: application/json\r\n"
        if once:
            head += f"Idempotency-Key: {once}\r\n"
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._exchange(f"{head}\r\n".encode() + body)
        except (OSError, httptools.HttpParserError) as error:
            raise Broken(f"{method} {path}: {error!r}") from error

    async def _exchange(self, request: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)) as sock:
            sock.setblocking(False)
            stamp(sock)
            await loop.sock_connect(sock, (self._host, self._port))
            await loop.sock_sendall(sock, request)
            parser = _Parser()
            while True:
                data, read_at = await _receive(loop, sock)
                if not data:
                    raise ConnectionError("it ended before the answer was whole")
                parser.feed(data)
                if parser.is_whole:
                    return parser.answer(read_at)


async def _receive(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> tuple[bytes, float]:
    """Wait until there is something to read, and read it."""
    while True:
        ready = asyncio.Event()
        loop.add_reader(sock, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(sock)
        with contextlib.suppress(BlockingIOError, InterruptedError):
            return receive(sock)


def now() -> float:
    """Return the instant before a call, on the clock of its answer."""
    return time.monotonic()
