"""
A PostgreSQL for tests: the embedded one, started once, or that of PENSTOCK_TEST_DSN.

Each test gets a database of its own, copied from a migrated one, which takes some 30 ms.
"""

import asyncio
import contextlib
import itertools
import os
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from penstock.store.migrate import migrate

_NUMBERS = itertools.count(1)
_TEMPLATE = f"penstock_template_{os.getpid()}"


class Server:
    """A server with a migrated database to copy from."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def prepare(self) -> None:
        """Make the database that the others are copied from."""
        await self._administer(f'CREATE DATABASE "{_TEMPLATE}"')
        await migrate(at(self.dsn, _TEMPLATE))

    async def create(self, *, template: str = _TEMPLATE) -> str:
        """Make a database and return its address."""
        name = f"penstock_{os.getpid()}_{next(_NUMBERS)}"
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return at(self.dsn, name)

    async def drop(self, dsn: str) -> None:
        """Delete a database, whoever is still connected to it."""
        name = urllib.parse.urlsplit(dsn).path.removeprefix("/")
        await self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def clean(self) -> None:
        """Delete the database that the others were copied from."""
        await self.drop(at(self.dsn, _TEMPLATE))

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def at(dsn: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return urllib.parse.urlunsplit(urllib.parse.urlsplit(dsn)._replace(path="/" + name))


@contextlib.contextmanager
def running_server(data: Path) -> Iterator[Server]:
    """Run a server for as long as the block lasts, on an event loop and a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="postgres of the tests", daemon=True)
    thread.start()
    given = os.environ.get("PENSTOCK_TEST_DSN")
    embedded = None if given else _embedded(data)
    try:
        dsn = given or asyncio.run_coroutine_threadsafe(embedded.start(), loop).result(60)
        server = Server(dsn)
        asyncio.run(server.prepare())
        try:
            yield server
        finally:
            asyncio.run(server.clean())
    finally:
        if embedded is not None:
            asyncio.run_coroutine_threadsafe(embedded.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _embedded(data: Path):
    from penstock.store.embedded import EmbeddedPostgres  # noqa: PLC0415 - a given server needs none

    return EmbeddedPostgres(data)
