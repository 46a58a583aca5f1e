"""
A client of HTTP that costs next to nothing: it shares the machine with what it measures.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Self
from urllib.parse import urlsplit

import msgspec


class Unexpected(Exception):
    """An answer that spoils the measurement."""


class Connection:
    """One kept-alive connection; requests go one after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: {host}\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\n".encode()

    @classmethod
    async def open(cls, url: str, key: str) -> Self:
        """Connect."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        return cls(reader, writer, parts.netloc, key)

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Make a request and return the body of its 200."""
        line = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n".encode()
        self._writer.write(line + self._head + b"\r\n" + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 : lower.index(b"\r", at)]) if at >= 0 else 0
        answer = await self._reader.readexactly(length) if length else b""
        if head[9:12] != b"200":
            raise Unexpected(f"{method} {path}: {head[:100]!r} {answer[:300]!r}")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Pool:
    """A few connections that work at once."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = connections

    @classmethod
    async def open(cls, url: str, key: str, size: int) -> Self:
        """Connect *size* times."""
        return cls([await Connection.open(url, key) for _ in range(size)])

    async def post_all(self, path: str, bodies: list[bytes]) -> None:
        """Post every body to one path."""
        await self.post_each((path, body) for body in bodies)

    async def post_each(self, requests: Iterable[tuple[str, bytes]]) -> None:
        """Post every body to its path; each connection takes the next one as soon as it is free."""
        waiting = iter(requests)

        async def work(connection: Connection) -> None:
            for path, body in waiting:
                await connection.ask("POST", path, body)

        async with asyncio.TaskGroup() as tasks:
            for connection in self._connections:
                tasks.create_task(work(connection))

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.close()


async def create(connection: Connection, name: str, *, rate: Mapping[str, object] | None = None) -> int:
    """Create a dispatch and return its id."""
    wanted = {"dispatchName": name, "senderName": "MyShop", "content": "Hello {name}, code {code}"}
    body = msgspec.json.encode(wanted if rate is None else {**wanted, "rate": rate})
    return int(msgspec.json.decode(await connection.ask("POST", "/api/v1/dispatch", body))["dispatchId"])


def bodies(first: int, count: int, *, size: int = 1000) -> list[bytes]:
    """Return requests of *size* messages each, to *count* destinations from *first* on."""
    encode = msgspec.json.Encoder().encode
    return [
        encode(
            [
                {"destination": str(number), "substitutions": {"name": "Maria", "code": f"{number % 10_000:04}"}}
                for number in range(start, min(start + size, first + count))
            ]
        )
        for start in range(first, first + count, size)
    ]
