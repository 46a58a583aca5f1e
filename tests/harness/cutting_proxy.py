"""
A proxy before PostgreSQL that breaks connections at the worst moment: at the commit.
"""

import asyncio
import contextlib
import enum
import struct
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT;"
_COMMITTED = b"COMMIT\0"
_FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
#: ErrorResponse (PostgreSQL protocol 3.0, message formats): what a server says that is shutting down.
_FATAL = b"E" + struct.pack("!I", len(_FIELDS) + 4) + _FIELDS


class Cut(enum.Enum):
    """What becomes of a connection whose transaction has just committed."""

    UNANSWERED = enum.auto()  #: it breaks before the answer
    FORGOTTEN = enum.auto()  #: it never reaches the server, which rolls back
    ANSWERED = enum.auto()  #: the answer comes, and right behind it the server's last words


class CuttingProxy:
    """Passes everything on until a commit that it was told to cut."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._cuts: list[Cut] = []
        self.made = 0

    def cut_next_commits(self, *cuts: Cut) -> None:
        """Break the connections of the next commits."""
        self._cuts += cuts

    def _take_cut(self) -> Cut:
        self.made += 1
        return self._cuts.pop(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand between a client and the server."""
        server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        back = asyncio.create_task(self._answer(server_reader, writer))
        try:
            while data := await reader.read(65_536):
                if _COMMIT in data and self._cuts[:1] == [Cut.FORGOTTEN]:
                    self._take_cut()
                    return
                server_writer.write(data)
        except ConnectionError:
            pass
        finally:
            back.cancel()
            server_writer.close()
            writer.close()

    async def _answer(self, server_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server_reader.read(65_536):
            if not (self._cuts and _COMMITTED in data):
                writer.write(data)
                continue
            if self._take_cut() is Cut.ANSWERED:
                # The connection stays open for a while, as that of a server that is shutting down does.
                writer.write(data + _FATAL)
                await server_reader.read()
            writer.close()
            return
        writer.close()


@contextlib.asynccontextmanager
async def cutting_proxy(dsn: str, folder: Path) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Stand before the server of *dsn*; lends the proxy and the address through it."""
    parts = urllib.parse.urlsplit(dsn)
    query = dict(urllib.parse.parse_qsl(parts.query))
    proxy = CuttingProxy(Path(query["host"]) / _SOCKET)
    server = await asyncio.start_unix_server(proxy.serve, folder / _SOCKET)
    query["host"] = str(folder)
    try:
        yield proxy, urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))
    finally:
        server.close()
        await server.wait_closed()
