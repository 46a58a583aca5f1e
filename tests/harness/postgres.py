"""
A PostgreSQL for tests: the embedded one, started once, or that of PENSTOCK_TEST_DSN.

The tests share one migrated database, which is emptied before each: that takes some milliseconds,
a database of its own half a second.
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

from penstock.store.embedded import EmbeddedPostgres
from penstock.store.migrate import migrate

_NUMBERS = itertools.count(1)


class Server:
    """A server with a migrated database to copy from."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def prepare(self) -> None:
        """Make the database that tests share."""
        self.shared = await self.create()
        await migrate(self.shared)

    async def forget_durability(self) -> None:
        """Write nothing through to the disk: the data are gone after the tests anyway."""
        await self._administer("ALTER SYSTEM SET fsync = off")
        await self._administer("SELECT pg_reload_conf()")

    async def create(self) -> str:
        """Make an empty database and return its address."""
        name = f"penstock_{os.getpid()}_{next(_NUMBERS)}"
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return at(self.dsn, name)

    async def drop(self, dsn: str) -> None:
        """Delete a database, whoever is still connected to it."""
        name = urllib.parse.urlsplit(dsn).path.removeprefix("/")
        await self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def empty(self) -> None:
        """Make the shared database as if it were just migrated."""
        connection = await asyncpg.connect(self.shared)
        try:
            tables = await connection.fetch(
                "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind = 'r' AND relname <> ALL(ARRAY['migration', 'sweep', 'period'])"
            )
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = replica")
                await connection.execute(";".join(f"DELETE FROM {table}" for (table,) in tables))
        finally:
            await connection.close()

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
    embedded = None if given else EmbeddedPostgres(data)
    try:
        dsn = given or asyncio.run_coroutine_threadsafe(embedded.start(), loop).result(60)
        server = Server(dsn)
        if not given:
            asyncio.run(server.forget_durability())
        asyncio.run(server.prepare())
        try:
            yield server
        finally:
            asyncio.run(server.drop(server.shared))
    finally:
        if embedded is not None:
            asyncio.run_coroutine_threadsafe(embedded.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
